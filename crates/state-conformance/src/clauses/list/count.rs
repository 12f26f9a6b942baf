//! Counting entries under prefixes and scopes.

use state_core::{CountOptions, Key, Scope, StateBackendExt};

use super::selected::AWKWARD;
use crate::Context;

pub(super) async fn count(cx: Context) {
    cx.a.batch_put(AWKWARD.iter().map(|name| (*name, "v"))).await.unwrap();
    cx.a.batch_put(AWKWARD.iter().map(|name| (Key::in_partition("p", *name), "v"))).await.unwrap();
    for prefix in [""].iter().chain(AWKWARD) {
        let under = AWKWARD.iter().filter(|name| name.starts_with(prefix)).count() as u64;
        for (scope, expected) in [
            (Scope::All, under * 2),
            (Scope::Unpartitioned, under),
            (Scope::Partition("p".into()), under),
            (Scope::Partition("a".into()), 0),
        ] {
            let options = CountOptions::new(*prefix).with_scope(scope.clone());
            let got = cx.b.count_opts(options).await.unwrap();
            assert_eq!(got, expected, "{scope:?} under `{}`", prefix.escape_debug());
        }
    }
}

pub(super) async fn follows(cx: Context) {
    let counted = async |expected: u64, when: &str| {
        for store in [&cx.a, &cx.b] {
            assert_eq!(store.count("").await.unwrap(), expected, "{when}");
        }
    };
    counted(0, "at first").await;
    cx.a.put("a", "1").await.unwrap();
    cx.b.put("b", "1").await.unwrap();
    counted(2, "after two writes").await;
    cx.b.put("a", "2").await.unwrap();
    counted(2, "after an overwrite").await;
    cx.a.increment("n", 1).await.unwrap();
    counted(3, "after an increment").await;
    cx.a.delete("b").await.unwrap();
    cx.a.delete("b").await.unwrap();
    counted(2, "after a delete").await;
    cx.b.clear().await.unwrap();
    counted(0, "after a clear").await;
}
