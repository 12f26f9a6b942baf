//! What `Debug` shows: sizes and names, and never the bytes of a value.

use std::fmt::Debug;

use state_core::{
    AcksReached, Bytes, Deleted, Entry, Key, Page, SnapshotRecord, Transaction, UpdateAction,
    Version, WriteOp, WriteOutcome,
};

const SECRET: &str = "hunter2";

fn shown(thing: &dyn Debug) -> String {
    let (line, lines) = (format!("{thing:?}"), format!("{thing:#?}"));
    // As text, as escaped bytes, and as numbers.
    for text in [&line, &lines] {
        assert!(!text.contains(SECRET) && !text.contains("hunter"), "{text}");
        assert!(!text.replace([' ', '\n'], "").contains("104,117,110"), "{text}");
    }
    line
}

fn secret() -> Bytes {
    Bytes::from_static(SECRET.as_bytes())
}

fn entry() -> Entry {
    Entry::new(secret(), Version::from_bytes([1; 16]))
}

#[test]
fn the_bytes_of_a_value_are_never_shown() {
    let deleted = Deleted::new(true, Some(entry()), AcksReached::PRIMARY);
    let ops = vec![WriteOp::put("k", SECRET), WriteOp::delete("k"), WriteOp::increment("n", 3)];
    let key = Key::from("k");
    let fields = vec![(Bytes::from_static(b"f"), secret())];
    let part =
        SnapshotRecord::HashFields { key: key.clone(), fields: fields.clone(), deadline: None };
    let things: [&dyn Debug; 11] = [
        &entry(),
        &Some(entry()),
        &deleted,
        &WriteOutcome::Deleted(deleted.clone()),
        &ops,
        &ops.iter().cloned().fold(Transaction::new(), Transaction::op),
        &SnapshotRecord::Entry { key: key.clone(), value: secret(), deadline: None },
        &part,
        &UpdateAction::put(SECRET),
        &Page::new(fields, None),
        &Page::new(vec![(key.clone(), entry())], None),
    ];
    for thing in things {
        shown(thing);
    }
}

#[test]
fn sizes_and_names_are_shown() {
    assert!(shown(&entry()).starts_with("Entry { value: 7 bytes, version: "), "{:?}", entry());
    let op = shown(&WriteOp::put("user:7", "1"));
    assert!(op.starts_with("Put { key: Key(user:7), value: 1 byte, options: "), "{op}");
    let op = shown(&WriteOp::increment("n", 3));
    assert!(op.starts_with("Increment { key: Key(n), by: 3, options: "), "{op}");
    assert_eq!(shown(&UpdateAction::put(SECRET)), "Put(7 bytes)");
    assert_eq!(shown(&UpdateAction::Keep), "Keep");
    assert_eq!(
        shown(&Page::<Key>::new(vec![Key::from("a")], None)),
        "Page { items: 1, next: None }"
    );
}
