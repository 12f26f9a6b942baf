//! One checkpoint as a line of JSON, with everything that belongs to it; `docs/wire-format.md`
//! describes it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use state_core::Timestamp;
use state_core::checkpoint::{
    ChannelValue, ChannelVersion, Checkpoint, CheckpointId, CheckpointRef, CheckpointTuple,
    Metadata, MetadataValue, Payload, PendingWrite, Scalar,
};

use crate::json_lines::explain;

/// The version of the lines.
const VERSION: u32 = 1;
/// How a number that JSON cannot express is named: by its bits.
const FLOAT: &str = "$float";

/// A line of an export.
#[derive(Debug)]
pub(crate) enum ExportLine {
    Checkpoint(Box<CheckpointTuple>),
    /// The end, with the number of checkpoints since the beginning or the end before.
    End(u64),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct End {
    end: EndBody,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct EndBody {
    checkpoints: u64,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    export: u32,
    #[serde(borrow)]
    thread: Cow<'a, str>,
    namespace: Cow<'a, str>,
    checkpoint: Cow<'a, str>,
    parent: Option<Cow<'a, str>>,
    time_unix_ms: u64,
    metadata: BTreeMap<String, Value>,
    versions: BTreeMap<String, Value>,
    versions_seen: BTreeMap<String, BTreeMap<String, Value>>,
    updated: Option<Vec<String>>,
    body: Option<Held>,
    values: BTreeMap<String, Held>,
    writes: Vec<Write>,
}

/// A payload; empty where there is no type.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Held {
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "raw", skip_serializing_if = "Option::is_none")]
    json: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

/// Reads `null`, too, as the JSON that it is.
fn raw<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(from).map(Some)
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Write {
    task: String,
    path: String,
    index: i32,
    channel: String,
    value: Held,
}

/// The line of a checkpoint, without its end.
pub(crate) fn encode(tuple: &CheckpointTuple) -> serde_json::Result<String> {
    let CheckpointTuple { reference, checkpoint, metadata, parent, values, .. } = tuple;
    let seen = checkpoint.versions_seen.iter();
    let updated = checkpoint.updated_channels.as_ref();
    serde_json::to_string(&Document {
        export: VERSION,
        thread: reference.thread.as_str().into(),
        namespace: reference.namespace.as_str().into(),
        checkpoint: reference.id.as_str().into(),
        parent: parent.as_ref().map(|parent| parent.as_str().into()),
        time_unix_ms: checkpoint.time.unix_ms(),
        metadata: metadata.iter().map(|(name, value)| (name.to_owned(), of_value(value))).collect(),
        versions: of_versions(&checkpoint.channel_versions),
        versions_seen: seen.map(|(node, seen)| (node.to_string(), of_versions(seen))).collect(),
        updated: updated.map(|names| names.iter().map(ToString::to_string).collect()),
        body: checkpoint.body.as_ref().map(of_payload),
        values: values.iter().map(|(name, value)| (name.to_string(), of_channel(value))).collect(),
        writes: tuple.pending_writes.iter().map(of_write).collect(),
    })
}

/// The line that ends an export.
pub(crate) fn encode_end(checkpoints: u64) -> serde_json::Result<String> {
    serde_json::to_string(&End { end: EndBody { checkpoints } })
}

/// Reads a line; says what is wrong with it.
pub(crate) fn decode(line: &[u8]) -> Result<ExportLine, String> {
    if line.trim_ascii_start().starts_with(br#"{"end""#) {
        let end: End = serde_json::from_slice(line).map_err(|error| explain(&error, "end"))?;
        return Ok(ExportLine::End(end.end.checkpoints));
    }
    let document: Document<'_> =
        serde_json::from_slice(line).map_err(|error| explain(&error, "checkpoint"))?;
    if document.export != VERSION {
        return Err(format!("is of version {}; this program reads {VERSION}", document.export));
    }
    let id = CheckpointId::new(&document.checkpoint);
    let mut checkpoint =
        Checkpoint::new(id.clone(), Timestamp::from_unix_ms(document.time_unix_ms));
    checkpoint.channel_versions = versions(document.versions)?;
    for (node, seen) in document.versions_seen {
        checkpoint.versions_seen.insert(node.into(), versions(seen)?);
    }
    checkpoint.updated_channels =
        document.updated.map(|names| names.into_iter().map(Arc::from).collect());
    checkpoint.body = document.body.map(payload).transpose()?;
    let metadata: Result<Metadata, String> =
        document.metadata.into_iter().map(|(name, json)| Ok((name, value(json)?))).collect();
    let reference = CheckpointRef::new(&*document.thread, id).with_namespace(&*document.namespace);
    let mut tuple = CheckpointTuple::new(reference, checkpoint, metadata?);
    tuple.parent = document.parent.map(|parent| CheckpointId::new(&parent));
    for (name, held) in document.values {
        tuple.values.insert(name.into(), channel(held)?);
    }
    for write in document.writes {
        let value = payload(write.value)?;
        let pending = PendingWrite::new(write.task, write.index, write.channel, value);
        tuple.pending_writes.push(pending.with_task_path(write.path));
    }
    Ok(ExportLine::Checkpoint(Box::new(tuple)))
}

fn of_channel(value: &ChannelValue) -> Held {
    value.payload().map_or(Held { kind: None, json: None, base64: None }, of_payload)
}

fn of_payload(payload: &Payload) -> Held {
    let bytes = payload.bytes();
    let json = (payload.kind() == "json" && !bytes.contains(&b'\n') && !bytes.contains(&b'\r'))
        .then(|| serde_json::from_slice::<Box<RawValue>>(bytes).ok())
        .flatten()
        // Space around it would be lost.
        .filter(|json| json.get().len() == bytes.len());
    let base64 = json.is_none().then(|| STANDARD.encode(bytes));
    Held { kind: Some(payload.kind().to_owned()), json, base64 }
}

fn channel(held: Held) -> Result<ChannelValue, String> {
    if held.kind.is_none() && held.json.is_none() && held.base64.is_none() {
        return Ok(ChannelValue::Empty);
    }
    payload(held).map(ChannelValue::from)
}

fn payload(held: Held) -> Result<Payload, String> {
    match (held.kind, held.json, held.base64) {
        (Some(kind), Some(json), None) => Ok(Payload::new(kind, json.get().as_bytes().to_vec())),
        (Some(kind), None, Some(text)) => STANDARD
            .decode(text)
            .map(|bytes| Payload::new(kind, bytes))
            .map_err(|_| "holds a value that is no base64".to_owned()),
        _ => Err("holds a value without a `type` and one of `json` and `base64`".to_owned()),
    }
}

fn of_write(write: &PendingWrite) -> Write {
    Write {
        task: write.task.to_string(),
        path: write.task_path.to_string(),
        index: write.index.get(),
        channel: write.channel.to_string(),
        value: of_payload(&write.value),
    }
}

fn of_versions(versions: &BTreeMap<Arc<str>, ChannelVersion>) -> BTreeMap<String, Value> {
    let json = |version: &ChannelVersion| match version {
        ChannelVersion::Int(number) => (*number).into(),
        ChannelVersion::Float(number) => of_float(*number),
        ChannelVersion::Text(text) => (&**text).into(),
    };
    versions.iter().map(|(name, version)| (name.to_string(), json(version))).collect()
}

fn versions(
    versions: BTreeMap<String, Value>,
) -> Result<BTreeMap<Arc<str>, ChannelVersion>, String> {
    let version = |json| match value(json)? {
        MetadataValue::Scalar(Scalar::Int(number)) => Ok(ChannelVersion::Int(number)),
        MetadataValue::Scalar(Scalar::Float(number)) => Ok(ChannelVersion::Float(number)),
        MetadataValue::Scalar(Scalar::Text(text)) => Ok(ChannelVersion::Text(text)),
        _ => Err("holds a version that is neither a number nor a text".to_owned()),
    };
    versions.into_iter().map(|(name, json)| Ok((Arc::from(name), version(json)?))).collect()
}

/// A map whose names would look like marks has each of these begin with one more `$`.
fn of_value(value: &MetadataValue) -> Value {
    match value {
        MetadataValue::Scalar(Scalar::Null) => Value::Null,
        MetadataValue::Scalar(Scalar::Bool(yes)) => (*yes).into(),
        MetadataValue::Scalar(Scalar::Int(number)) => (*number).into(),
        MetadataValue::Scalar(Scalar::Float(number)) => of_float(*number),
        MetadataValue::Scalar(Scalar::Text(text)) => (&**text).into(),
        MetadataValue::List(items) => items.iter().map(of_value).collect(),
        MetadataValue::Map(fields) => {
            let escaped = |name: &str| {
                if name.starts_with('$') { format!("${name}") } else { name.to_owned() }
            };
            fields.iter().map(|(name, value)| (escaped(name), of_value(value))).collect()
        }
    }
}

fn of_float(number: f64) -> Value {
    serde_json::Number::from_f64(number).map_or_else(
        || serde_json::json!({ FLOAT: format!("{:016x}", number.to_bits()) }),
        Value::Number,
    )
}

fn value(json: Value) -> Result<MetadataValue, String> {
    Ok(match json {
        Value::Null => Scalar::Null.into(),
        Value::Bool(yes) => yes.into(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.into(),
            (None, Some(float)) if !number.is_u64() => float.into(),
            _ => return Err("holds a number over 9223372036854775807".to_owned()),
        },
        Value::String(text) => text.into(),
        Value::Array(items) => {
            let items: Result<_, String> = items.into_iter().map(value).collect();
            MetadataValue::List(items?)
        }
        Value::Object(fields) => {
            if let Some(bits) = fields.get(FLOAT).filter(|_| fields.len() == 1) {
                let bits = bits.as_str().and_then(|bits| u64::from_str_radix(bits, 16).ok());
                let bits = bits.ok_or("holds a `$float` that is no 16 hexadecimal digits")?;
                return Ok(f64::from_bits(bits).into());
            }
            let mut map = BTreeMap::new();
            for (name, json) in fields {
                let plain = match name.strip_prefix('$') {
                    Some(rest) if rest.starts_with('$') => rest,
                    Some(_) => return Err("holds a mark that is not known".to_owned()),
                    None => &name,
                };
                map.insert(Arc::from(plain), value(json)?);
            }
            MetadataValue::Map(map)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple() -> CheckpointTuple {
        let checkpoint = Checkpoint::new("id\n1", Timestamp::from_unix_ms(7))
            .with_channel("int", 3)
            .with_channel("float", 3.0)
            .with_channel("text", "3")
            .with_channel("nan", f64::from_bits(0x7ff8_0000_0000_0001))
            .with_channel("zero", -0.0)
            .with_seen("node", "int", 0.1 + 0.2)
            .with_updated(["int"])
            .with_body(Payload::new("json", "null"));
        let inner = [("$float", 1.into()), ("$$a", Scalar::Null.into())];
        let inner = inner.map(|(name, value): (&str, MetadataValue)| (Arc::from(name), value));
        let metadata = Metadata::new()
            .with("whole", 2.0)
            .with("least", i64::MIN)
            .with("infinite", f64::NEG_INFINITY)
            .with("small", 5e-324)
            .with("$odd", MetadataValue::Map(inner.into()))
            .with("list", MetadataValue::List(vec![true.into(), "x".into()]));
        let reference = CheckpointRef::new("a:b\u{0}é", "id\n1").with_namespace("inner|1");
        let mut tuple = CheckpointTuple::new(reference, checkpoint, metadata);
        tuple.parent = Some("id\n0".into());
        for (name, kind, bytes) in [
            ("int", "json", &br#"{"b":1.50,"a":[1e400,"\u00e9"]}"#[..]),
            ("float", "json", b" [1] "),
            ("nan", "json", b"[1,\n2]"),
            ("zero", "msgpack", b"\x93\x01\xff"),
            ("list", "json", b"not json"),
            ("null", "json", b"null"),
        ] {
            tuple.values.insert(Arc::from(name), Payload::new(kind, bytes.to_vec()).into());
        }
        tuple.values.insert(Arc::from("text"), ChannelValue::Empty);
        let write = PendingWrite::new("task", -3, "ask", Payload::new("json", "null"));
        tuple.pending_writes.push(write.with_task_path("~1"));
        tuple
    }

    #[test]
    fn everything_comes_back_as_it_was() {
        let tuple = tuple();
        let line = encode(&tuple).unwrap();
        assert_eq!(line.lines().count(), 1);
        let Ok(ExportLine::Checkpoint(back)) = decode(line.as_bytes()) else { panic!("{line}") };
        assert_eq!(*back, tuple, "{line}");
        // Equal numbers of two kinds are equal to a filter, and must not become one another.
        assert!(matches!(
            back.metadata.get("whole"),
            Some(MetadataValue::Scalar(Scalar::Float(_)))
        ));
        assert_eq!(encode(&back).unwrap(), line);
    }

    #[test]
    fn an_end_is_told_from_a_checkpoint() {
        let end = encode_end(3).unwrap();
        assert!(matches!(decode(end.as_bytes()), Ok(ExportLine::End(3))));
    }

    #[test]
    fn what_is_wrong_is_said_without_what_it_holds() {
        let sound = encode(&tuple()).unwrap();
        for (from, to, said) in [
            ("{\"export\":1", "{\"export\":2", "of version 2"),
            ("\"parent\"", "\"parents\"", "unknown field `parents`"),
            ("\"time_unix_ms\":7,", "", "missing field `time_unix_ms`"),
            ("\"time_unix_ms\":7", "\"time_unix_ms\":\"secret\"", "is no checkpoint (column"),
            ("kwH/", "secret!", "no base64"),
            ("-9223372036854775808", "9223372036854775808", "over 9223372036854775807"),
            ("fff0000000000000", "secret", "hexadecimal"),
            ("\"type\":\"msgpack\",", "", "without a `type`"),
            ("\"list\":[true", "\"list\":[true,", "is no JSON"),
        ] {
            assert!(sound.contains(from), "{from}: {sound}");
            let error = decode(sound.replacen(from, to, 1).as_bytes()).unwrap_err();
            assert!(error.contains(said) && !error.contains("secret"), "{from}: {error}");
        }
    }
}
