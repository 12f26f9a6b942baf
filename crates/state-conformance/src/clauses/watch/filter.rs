//! What a watch covers, and what it leaves out.

use state_core::{Change, ClearOptions, Key, Scope, StateBackendExt, WatchOptions};

use super::{follow, next, put, same_in_any_order, tells, watch};
use crate::Context;

pub(super) async fn prefix(cx: Context) {
    let names =
        ["a", "ab", "a*", "a*b", "a?", "[a]", "{a}", "A", "ba", "\\a", "%61", "a:b", "b", " a"];
    for prefix in ["a", "a*", "a?", "[", "{", "A", "\\", "%", "a:", " "] {
        let mut events = watch(&*cx.b, WatchOptions::new(prefix)).await;
        let mut expected = Vec::new();
        for name in names {
            for key in [Key::from(name), Key::in_partition("p", name)] {
                let version = cx.a.put(&key, "v").await.unwrap().version;
                if name.starts_with(prefix) {
                    expected.push(put(key, version));
                }
            }
        }
        same_in_any_order(&mut events, expected).await;
    }
}

pub(super) async fn scope(cx: Context) {
    let keys = [
        Key::from("k"),
        Key::in_partition("p", "k"),
        Key::in_partition("pq", "k"),
        Key::in_partition("k", "p"),
        Key::from("p"),
    ];
    let partition = |name: &'static str| Scope::Partition(name.into());
    for scope in [partition("p"), partition("k"), Scope::Unpartitioned, Scope::All] {
        let options = WatchOptions::default().with_scope(scope.clone());
        let mut events = watch(&*cx.b, options).await;
        let mut expected = Vec::new();
        for key in &keys {
            let version = cx.a.put(key, "v").await.unwrap().version;
            if scope.covers(key.partition()) {
                expected.push(put(key, version));
            }
        }
        assert!(!expected.is_empty());
        same_in_any_order(&mut events, expected).await;
    }
}

pub(super) async fn clear(cx: Context) {
    let p = Scope::Partition("p".into());
    let q = Scope::Partition("q".into());
    for (watched, cleared, meet) in [
        (("", Scope::All), ("", Scope::All), true),
        (("a", Scope::All), ("", Scope::All), true),
        (("a", Scope::All), ("ab", Scope::All), true),
        (("ab", Scope::All), ("a", Scope::All), true),
        (("ab", Scope::All), ("ac", Scope::All), false),
        (("", p.clone()), ("", Scope::All), true),
        (("", Scope::All), ("", p.clone()), true),
        (("", p.clone()), ("", p.clone()), true),
        (("", p.clone()), ("", q.clone()), false),
        (("", p), ("", Scope::Unpartitioned), false),
        (("a", Scope::Unpartitioned), ("b", q), false),
    ] {
        let what = format!("watching {watched:?}, clearing {cleared:?}");
        for name in ["ab-1", "ac-1", "b-1"] {
            for key in [Key::from(name), Key::in_partition("p", name), Key::in_partition("q", name)]
            {
                cx.a.put(key, "v").await.unwrap();
            }
        }
        let options = WatchOptions::new(watched.0).with_scope(watched.1.clone());
        let mut events = watch(&*cx.b, options).await;
        let options = ClearOptions::new(cleared.0).with_scope(cleared.1.clone());
        cx.a.clear_opts(options).await.unwrap();
        let last = match watched.1 {
            Scope::Partition(name) => Key::in_partition(name, format!("{}-last", watched.0)),
            _ => Key::from(format!("{}-last", watched.0)),
        };
        cx.a.put(&last, "v").await.unwrap();
        let first = next(&mut events, &what).await.change;
        let expected = Change::Cleared { prefix: cleared.0.into(), scope: cleared.1 };
        if meet {
            assert_eq!(first, expected, "{what}");
        } else {
            assert_eq!(first.key(), Some(&last), "{what}: {first:?} was told");
        }
    }
}

pub(super) async fn namespace(cx: Context) {
    let longer = cx.open("-longer").await.unwrap();
    let mut events = follow(&*cx.b).await;
    let mut elsewhere = follow(&*longer).await;
    let there = longer.put("k", "v").await.unwrap().version;
    tells(&mut elsewhere, put("k", there)).await;
    longer.clear().await.unwrap();
    let here = cx.a.put("k", "v").await.unwrap().version;
    tells(&mut events, put("k", here)).await;
    let cleared = Change::Cleared { prefix: "".into(), scope: Scope::All };
    tells(&mut elsewhere, cleared).await;
}
