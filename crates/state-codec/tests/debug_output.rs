//! What `Debug` shows: sizes and types, and never the bytes of a value.

use std::fmt::Debug;

use bytes::Bytes;
use state_codec::{
    CodecId, Envelope, EnvelopeOptions, SnapshotFileOptions, SnapshotReader, SnapshotWriter,
    TypedUpdate,
};
use state_core::{Key, Result, Timestamp};

const SECRET: &[u8] = b"hunter2 hunter2 hunter2";

fn shown(thing: &dyn Debug) -> String {
    let (line, lines) = (format!("{thing:?}"), format!("{thing:#?}"));
    // As text, as escaped bytes, and as numbers.
    for text in [&line, &lines] {
        assert!(!text.contains("hunter"), "{text}");
        assert!(!text.replace([' ', '\n'], "").contains("104,117,110"), "{text}");
    }
    line
}

#[test]
fn an_envelope_shows_its_header() -> Result<()> {
    let envelope = Envelope::open(Envelope::wrap(CodecId::Raw, SECRET, EnvelopeOptions::new())?)?;
    let line = shown(&envelope);
    assert!(line.contains("raw_len: 23"), "{line}");
    Ok(())
}

#[test]
fn typed_values_show_their_type() {
    let update = TypedUpdate::Put(String::from_utf8_lossy(SECRET).into_owned());
    assert_eq!(shown(&update), "Put(alloc::string::String)");
}

#[test]
fn snapshots_show_numbers_while_they_are_written_and_read() -> Result<()> {
    let options = SnapshotFileOptions::new(Timestamp::from_unix_ms(1));
    let mut writer = SnapshotWriter::new(Vec::new(), options)?;
    let value = Bytes::from_static(SECRET);
    for number in 0..2 {
        writer.write_entry(&Key::from(format!("{number}")), &value, None)?;
    }
    let line = shown(&writer);
    assert!(line.contains("block_records: 2"), "{line}");
    let (file, _) = writer.finish()?;
    let mut reader = SnapshotReader::new(file.as_slice())?;
    shown(&reader.next());
    shown(&reader);
    Ok(())
}
