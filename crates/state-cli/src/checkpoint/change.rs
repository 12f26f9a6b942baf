//! What happened to a channel between two checkpoints, down to the elements of a list.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::value::RawValue;
use state_core::checkpoint::{ChannelValue, CheckpointTuple};

use crate::json_text::{self, Parts};

/// What happened to a channel.
#[derive(Debug)]
pub(crate) enum Change<'a> {
    Added(&'a ChannelValue),
    Removed(&'a ChannelValue),
    /// A list in which a run of elements was replaced: `kept` stand before it.
    List {
        kept: usize,
        removed: Vec<&'a RawValue>,
        added: Vec<&'a RawValue>,
    },
    /// An object: the fields that differ, with what they held and hold.
    Object(Vec<Field<'a>>),
    Replaced {
        from: &'a ChannelValue,
        to: &'a ChannelValue,
    },
}

/// A field of an object that differs.
#[derive(Debug)]
pub(crate) struct Field<'a> {
    pub(crate) name: String,
    pub(crate) from: Option<&'a RawValue>,
    pub(crate) to: Option<&'a RawValue>,
}

/// A channel that differs.
#[derive(Debug)]
pub(crate) struct Changed<'a> {
    pub(crate) channel: &'a str,
    pub(crate) change: Change<'a>,
    /// The bytes of the new value that are not at the same end of the old one.
    pub(crate) new_bytes: usize,
}

/// What differs from `from`, which may be nothing, to `to`; in the order of the names.
pub(crate) fn between<'a>(
    from: Option<&'a CheckpointTuple>,
    to: &'a CheckpointTuple,
) -> Vec<Changed<'a>> {
    let before = |channel: &Arc<str>| from.and_then(|from| from.values.get(channel));
    let names: BTreeSet<&Arc<str>> =
        from.into_iter().flat_map(|from| from.values.keys()).chain(to.values.keys()).collect();
    let changes = names.into_iter().filter_map(|channel| {
        let (old, new) = (before(channel), to.values.get(channel));
        let change = match (old, new) {
            (None, Some(new)) => Change::Added(new),
            (Some(old), None) => Change::Removed(old),
            (Some(old), Some(new)) if old != new => of_values(old, new),
            _ => return None,
        };
        Some(Changed { channel, change, new_bytes: new_bytes(old, new) })
    });
    changes.collect()
}

fn of_values<'a>(from: &'a ChannelValue, to: &'a ChannelValue) -> Change<'a> {
    match (parts_of(from), parts_of(to)) {
        (Some(Parts::List(old)), Some(Parts::List(new))) => of_lists(&old, &new),
        (Some(Parts::Object(mut old)), Some(Parts::Object(new))) => {
            let mut fields = Vec::new();
            for (name, value) in new {
                let before = old.remove(&name);
                if before.is_none_or(|before| before.get() != value.get()) {
                    fields.push(Field { name, from: before, to: Some(value) });
                }
            }
            let gone = old.into_iter();
            fields.extend(gone.map(|(name, value)| Field { name, from: Some(value), to: None }));
            Change::Object(fields)
        }
        _ => Change::Replaced { from, to },
    }
}

fn of_lists<'a>(old: &[&'a RawValue], new: &[&'a RawValue]) -> Change<'a> {
    let same = |(a, b): &(&&RawValue, &&RawValue)| a.get() == b.get();
    let kept = old.iter().zip(new).take_while(same).count();
    let (old, new) = (old.iter().skip(kept), new.iter().skip(kept));
    let tail = old.clone().rev().zip(new.clone().rev()).take_while(same).count();
    let until = |items: std::iter::Skip<std::slice::Iter<'_, &'a RawValue>>| {
        let count = items.len() - tail;
        items.take(count).copied().collect()
    };
    Change::List { kept, removed: until(old), added: until(new) }
}

/// The parts of a value that says it is JSON, and is.
pub(crate) fn parts_of(value: &ChannelValue) -> Option<Parts<'_>> {
    let payload = value.payload().filter(|payload| payload.kind() == "json")?;
    json_text::parts(payload.bytes())
}

/// The bytes of a value; none where it is empty.
pub(crate) fn size(value: &ChannelValue) -> usize {
    value.payload().map_or(0, |payload| payload.bytes().len())
}

/// The bytes of all values of a checkpoint.
pub(crate) fn state_bytes(tuple: &CheckpointTuple) -> usize {
    tuple.values.values().map(size).sum()
}

fn new_bytes(old: Option<&ChannelValue>, new: Option<&ChannelValue>) -> usize {
    let bytes = |value: Option<&'_ ChannelValue>| {
        value.and_then(ChannelValue::payload).map(|payload| payload.bytes().clone())
    };
    let Some(new) = bytes(new) else { return 0 };
    let old = bytes(old).unwrap_or_default();
    let same = |(a, b): &(&u8, &u8)| a == b;
    let front = old.iter().zip(&new).take_while(same).count();
    let left = old.len().min(new.len()) - front;
    let back = old.iter().rev().zip(new.iter().rev()).take(left).take_while(same).count();
    new.len() - front - back
}

impl Changed<'_> {
    /// The change in a few characters: `messages +2`, `plan new`.
    pub(crate) fn summary(&self) -> String {
        let name = crate::key_text::show_name(self.channel);
        match &self.change {
            Change::Added(value) => match parts_of(value) {
                Some(Parts::List(items)) => format!("{name} +{}", items.len()),
                _ => format!("{name} new"),
            },
            Change::Removed(_) => format!("{name} gone"),
            Change::List { removed, added, .. } => {
                let count = |sign: char, items: &[&RawValue]| match items.len() {
                    0 => String::new(),
                    count => format!(" {sign}{count}"),
                };
                format!("{name}{}{}", count('+', added), count('-', removed))
            }
            Change::Object(_) | Change::Replaced { .. } => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use state_core::Timestamp;
    use state_core::checkpoint::{Checkpoint, CheckpointRef, Metadata, Payload};

    use super::*;

    fn tuple(values: &[(&str, &'static str)]) -> CheckpointTuple {
        let checkpoint = Checkpoint::new("1", Timestamp::from_unix_ms(0));
        let reference = CheckpointRef::new("t", "1");
        let mut tuple = CheckpointTuple::new(reference, checkpoint, Metadata::new());
        for (channel, json) in values {
            let kind = if json.starts_with('\u{1}') { "bytes" } else { "json" };
            tuple.values.insert(Arc::from(*channel), Payload::new(kind, *json).into());
        }
        tuple
    }

    #[test]
    fn lists_objects_and_everything_else_are_told_apart() {
        let from = tuple(&[
            ("gone", "1"),
            ("list", "[1,2,3,9]"),
            ("object", r#"{"a":1,"b":2}"#),
            ("raw", "\u{1}a"),
            ("same", "5"),
        ]);
        let to = tuple(&[
            ("list", "[1,4,5,9]"),
            ("new", "[7]"),
            ("object", r#"{"a":1,"c":3}"#),
            ("raw", "\u{1}b"),
            ("same", "5"),
        ]);
        let changes = between(Some(&from), &to);
        let told: Vec<_> = changes.iter().map(Changed::summary).collect();
        assert_eq!(told, ["gone gone", "list +2 -2", "new +1", "object", "raw"]);
        let Change::List { kept, removed, added } = &changes[1].change else { panic!("no list") };
        let text = |items: &[&RawValue]| items.iter().map(|item| item.get().to_owned()).collect();
        let (removed, added): (Vec<_>, Vec<_>) = (text(removed), text(added));
        assert_eq!(
            (*kept, removed, added),
            (1, vec!["2".into(), "3".into()], vec!["4".into(), "5".into()])
        );
        let Change::Object(fields) = &changes[3].change else { panic!("no object") };
        let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["c", "b"]);
        assert_eq!(changes[1].new_bytes, 3);
        assert!(between(Some(&from), &from).is_empty());
    }

    #[test]
    fn an_element_that_is_there_twice_is_counted_once() {
        let (from, to) = (tuple(&[("list", "[1,1]")]), tuple(&[("list", "[1,1,1]")]));
        let changes = between(Some(&from), &to);
        assert_eq!(changes[0].summary(), "list +1");
        let back = between(Some(&to), &from);
        assert_eq!(back[0].summary(), "list -1");
    }
}
