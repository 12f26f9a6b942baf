//! Typed access over a store: formats, versions, schemas, migrations, batches and streams.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

#[expect(dead_code, reason = "no write fails here")]
mod backend;

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use backend::{MapStore, now};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use state_codec::{Codec, Envelope, Json, SchemaMismatch, StateBackendTyped, Typed, TypedUpdate};
use state_core::{ErrorKind, Expiry, GetOptions, Key, Outcome, StateBackend, StateBackendExt, Ttl};

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct User {
    name: String,
    visits: u32,
}

fn user(name: &str, visits: u32) -> User {
    User { name: name.to_owned(), visits }
}

fn everything_works<C: Codec>() {
    let store = MapStore::new();
    let users: Typed<'_, User, C> = store.typed();
    let ada = user("Ada", 1);
    assert_eq!(now(users.get("a")).unwrap(), None);
    now(users.put("a", &ada)).unwrap();
    assert_eq!(now(users.get("a")).unwrap(), Some(ada.clone()));
    assert!(!now(users.set_if_not_exists("a", &ada, Expiry::Never)).unwrap());

    let entry = now(users.get_entry("a")).unwrap().unwrap();
    now(users.compare_and_set("a", entry.version, &user("Ada", 2))).unwrap();
    let stale = now(users.compare_and_set("a", entry.version, &ada)).unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::Conflict);

    let updated = now(users.update("a", |seen| {
        let seen = seen.expect("is there");
        TypedUpdate::Put(User { visits: seen.visits + 1, ..seen.clone() })
    }));
    assert_eq!(updated.unwrap(), Some(user("Ada", 3)));
    let kept = now(users.update("a", |_| TypedUpdate::Keep)).unwrap();
    assert_eq!(kept, Some(user("Ada", 3)));

    now(users.put_with_ttl("brief", &ada, Duration::from_secs(1))).unwrap();
    assert_eq!(now(store.ttl("brief")).unwrap(), Ttl::Remaining(Duration::from_secs(1)));

    let items = (0..50).map(|n| (format!("u{n:02}"), user("batch", n)));
    assert_eq!(now(users.batch_put(items)).unwrap().len(), 50);
    let some = now(users.batch_get(["u07", "none", "u49"])).unwrap();
    assert_eq!(some, [Some(user("batch", 7)), None, Some(user("batch", 49))]);
    let streamed: Vec<_> = now(users.entries("u").collect());
    assert_eq!(streamed.len(), 50);
    assert_eq!(streamed[3].as_ref().unwrap().1.value, user("batch", 3));
    assert_eq!(now(users.batch_delete(["u07", "none"])).unwrap(), 1);

    assert_eq!(now(users.get_and_delete("a")).unwrap(), Some(user("Ada", 3)));
    assert!(!now(users.delete("a")).unwrap());
    assert_eq!(now(users.update("u01", |_| TypedUpdate::Delete)).unwrap(), None);
    assert_eq!(now(users.get("u01")).unwrap(), None);
}

#[test]
fn everything_works_in_every_format() {
    everything_works::<Json>();
    #[cfg(feature = "msgpack")]
    everything_works::<state_codec::MessagePack>();
    #[cfg(feature = "bincode")]
    everything_works::<state_codec::Bincode>();
}

#[test]
fn a_trait_object_and_an_arc_have_typed_access_too() {
    let store: Arc<dyn StateBackend> = Arc::new(MapStore::new());
    now(store.typed::<u8, Json>().put("k", &1)).unwrap();
    let object: &dyn StateBackend = &*store;
    assert_eq!(now(object.typed::<u8, Json>().get("k")).unwrap(), Some(1));
}

#[test]
fn futures_of_typed_access_can_change_threads() {
    fn is_send<T: Send>(_: T) {}
    let store: Arc<dyn StateBackend> = Arc::new(MapStore::new());
    let users = store.typed::<User, Json>();
    is_send(users.get("k"));
    is_send(users.put("k", &user("a", 1)));
    is_send(users.update("k", |_| TypedUpdate::Keep));
    is_send(users.batch_put([("k", user("a", 1))]));
    is_send(users.entries(""));
}

#[cfg(all(feature = "msgpack", feature = "bincode"))]
#[test]
fn a_reader_of_one_format_reads_every_other() {
    let store = MapStore::new();
    now(store.typed::<User, Json>().put("json", &user("j", 1))).unwrap();
    now(store.typed::<User, state_codec::MessagePack>().put("msgpack", &user("m", 2))).unwrap();
    now(store.typed::<User, state_codec::Bincode>().put("bincode", &user("b", 3))).unwrap();
    let users = store.typed::<User, Json>();
    let read = now(users.batch_get(["json", "msgpack", "bincode"])).unwrap();
    let names: Vec<_> = read.into_iter().map(|user| user.unwrap().name).collect();
    assert_eq!(names, ["j", "m", "b"]);
}

#[cfg(not(feature = "bincode"))]
#[test]
fn a_format_that_is_not_built_in_is_unsupported_and_named() {
    let store = MapStore::new();
    let bincode = state_codec::CodecId::Bincode;
    let stored = Envelope::wrap(bincode, &[1], state_codec::EnvelopeOptions::new()).unwrap();
    now(store.put("k", stored)).unwrap();
    let error = now(store.typed::<u8, Json>().get("k")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("feature `bincode`"), "{error}");
}

#[derive(Deserialize, Serialize)]
struct OldUser(String);

#[test]
fn another_schema_is_refused_unless_there_is_a_migration() {
    let store = MapStore::new();
    let old = store.typed::<OldUser, Json>().with_schema(1);
    now(old.put("k", &OldUser("Ada".to_owned()))).unwrap();
    let users = store.typed::<User, Json>().with_schema(2);
    let error = now(users.get("k")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let mismatch = error.source().and_then(|source| source.downcast_ref::<SchemaMismatch>());
    assert_eq!(mismatch.map(|mismatch| (mismatch.found, mismatch.expected)), Some((1, 2)));

    let users = users.with_migration(1, |OldUser(name)| Ok(User { name, visits: 0 }));
    assert_eq!(now(users.get("k")).unwrap(), Some(user("Ada", 0)));
    let updated = now(users.update("k", |seen| {
        TypedUpdate::Put(User { visits: 1, ..seen.expect("is there").clone() })
    }));
    assert_eq!(updated.unwrap(), Some(user("Ada", 1)));
    let stored = Envelope::open(now(store.get("k")).unwrap().unwrap()).unwrap();
    assert_eq!(stored.schema(), 2);
}

#[test]
fn an_update_of_what_cannot_be_read_changes_nothing() {
    let store = MapStore::new();
    now(store.put("k", "not an envelope")).unwrap();
    let users = store.typed::<User, Json>();
    let mut asked = false;
    let updated = now(users.update("k", |_| {
        asked = true;
        TypedUpdate::Delete
    }));
    assert_eq!(updated.unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(!asked);
    assert_eq!(now(store.get("k")).unwrap().unwrap(), "not an envelope");
}

#[test]
fn errors_say_which_item_and_what_is_known() {
    let store = MapStore::new();
    let users = store.typed::<User, Json>();
    now(users.put("good", &user("a", 1))).unwrap();
    now(store.put("bad", "x")).unwrap();
    let error = now(users.batch_get(["good", "bad"])).unwrap_err();
    assert_eq!((error.kind(), error.index()), (ErrorKind::Corrupt, Some(1)));
    let streamed: Vec<_> = now(users.entries("").collect());
    assert_eq!(streamed.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true]);
    let error = now(users.get_and_delete("bad")).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Corrupt, Outcome::Applied));
    assert_eq!(now(store.get("bad")).unwrap(), None);
    let head = GetOptions::new().with_head(true);
    assert_eq!(
        now(users.get_opts(&Key::from("good"), head)).unwrap_err().kind(),
        ErrorKind::Invalid
    );
}

#[test]
fn a_batch_with_a_value_that_cannot_be_written_writes_nothing() {
    // JSON has no maps with keys other than strings and numbers.
    let bad = std::collections::BTreeMap::from([(vec![1_u8], 1_u8)]);
    let store = MapStore::new();
    let maps = store.typed::<std::collections::BTreeMap<Vec<u8>, u8>, Json>();
    let items = [("a", std::collections::BTreeMap::new()), ("b", bad)];
    let error = now(maps.batch_put(items)).unwrap_err();
    assert_eq!((error.kind(), error.index()), (ErrorKind::Invalid, Some(1)));
    assert_eq!(store.contents(), []);
}
