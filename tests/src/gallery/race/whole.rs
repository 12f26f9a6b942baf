//! What is to happen together, and does not.

use futures_util::{StreamExt, stream};
use state_core::{
    ClearOptions, ListOptions, Page, PageToken, SnapshotRecord, StateBackend, StateBackendExt,
    Transact,
};

use super::dawdle;
use crate::gallery::hooks::Hooks;

/// Lets others make some calls.
async fn linger() {
    for _ in 0..10 {
        dawdle().await;
    }
}

/// Makes reads as they should be made, only slow enough to go on while something is written.
fn slow_gets() -> Hooks {
    Hooks::default().on_get(|honest, key, options| async move {
        dawdle().await;
        honest.get_opts(&key, options).await
    })
}

pub(super) fn transaction() -> Hooks {
    slow_gets().on_transact(|honest, transaction| async move {
        let mut outcomes = Vec::new();
        for op in transaction.ops {
            for outcome in honest.write_many(vec![op]).await? {
                outcomes.push(outcome?);
            }
            linger().await;
        }
        Ok(outcomes)
    })
}

pub(super) fn transaction_checks() -> Hooks {
    slow_gets().on_transact(|honest, transaction| async move {
        let (mut checks, mut writes) = (transaction.clone(), transaction);
        checks.ops.clear();
        writes.checks.clear();
        honest.transact(checks).await?;
        linger().await;
        honest.transact(writes).await
    })
}

pub(super) fn clear() -> Hooks {
    slow_gets().on_clear(|honest, options| async move {
        let asked = ListOptions::new(options.prefix.clone()).with_scope(options.scope.clone());
        let mut cleared = 0;
        for meta in honest.list_page(asked).await?.items {
            cleared += u64::from(honest.delete(&meta.key).await?);
            dawdle().await;
        }
        Ok(cleared + honest.clear_opts(options).await?)
    })
}

pub(super) fn clear_one_page() -> Hooks {
    Hooks::default().on_clear(|honest, options| async move {
        let asked = ListOptions::new(options.prefix.clone()).with_scope(options.scope.clone());
        let page = honest.list_page(asked.with_limit(10_usize)).await?;
        let all = honest.list_page(ListOptions::default()).await?.items.len() as u64;
        if page.next.is_none() {
            return honest.clear_opts(ClearOptions::default()).await;
        }
        for meta in page.items {
            honest.delete(&meta.key).await?;
        }
        Ok(all)
    })
}

/// Makes puts as they should be made, only slow enough to go on while something is read.
fn slow_puts() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        dawdle().await;
        honest.put_opts(&key, value, options).await
    })
}

pub(super) fn list() -> Hooks {
    slow_puts().on_list(|honest, mut options| async move {
        let offset = options
            .token
            .take()
            .map_or(0, |token| String::from_utf8_lossy(token.as_bytes()).parse().unwrap_or(0));
        let limit = std::mem::replace(&mut options.limit, 1_000);
        linger().await;
        let all = honest.list_page(options).await?.items;
        let items: Vec<_> = all.iter().skip(offset).take(limit).cloned().collect();
        let end = offset + items.len();
        let next = (end < all.len()).then(|| PageToken::from_bytes(end.to_string()));
        Ok(Page::new(items, next))
    })
}

pub(super) fn snapshot() -> Hooks {
    slow_puts().on_snapshot(|honest, options| async move {
        let asked = ListOptions::new(options.prefix).with_scope(options.scope);
        let mut records = Vec::new();
        linger().await;
        for meta in honest.list_page(asked).await?.items {
            linger().await;
            if let Some(entry) = honest.get_entry(&meta.key).await? {
                let (key, value) = (meta.key, entry.value);
                records.push(Ok(SnapshotRecord::Entry { key, value, deadline: None }));
            }
        }
        Ok(stream::iter(records).boxed())
    })
}
