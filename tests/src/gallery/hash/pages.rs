//! Defects of listing and counting fields.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use state_core::{Bytes, HashState, HashStore, Page};

use crate::gallery::hooks::Hooks;

/// Changes every page of a hash.
fn paging(change: fn(&mut Page<(Bytes, Bytes)>)) -> Hooks {
    Hooks::default().on_hash_page(move |honest, key, options| async move {
        let mut page = honest.hash_page(&key, options).await?;
        change(&mut page);
        Ok(page)
    })
}

pub(super) fn gap() -> Hooks {
    paging(|page| {
        if page.next.is_some() {
            page.items.pop();
        }
    })
}

pub(super) fn reversed() -> Hooks {
    paging(|page| page.items.reverse())
}

pub(super) fn zero_is_all() -> Hooks {
    Hooks::default().on_hash_page(|honest, key, mut options| async move {
        if options.limit == 0 {
            options.limit = usize::MAX;
        }
        honest.hash_page(&key, options).await
    })
}

pub(super) fn one_state() -> Hooks {
    let writes = Arc::new(AtomicU64::new(0));
    let (setting, begun) = (Arc::clone(&writes), AtomicU64::new(0));
    Hooks::default()
        .on_hash_set(move |honest, key, fields, options| {
            setting.fetch_add(1, Ordering::Relaxed);
            async move { honest.hash_set(&key, fields, options).await }
        })
        .on_hash_page(move |honest, key, options| {
            let now = writes.load(Ordering::Relaxed);
            if options.token.is_none() {
                begun.store(now, Ordering::Relaxed);
            }
            let same = begun.load(Ordering::Relaxed) == now;
            async move {
                if !same {
                    return Ok(Page::new(Vec::new(), None));
                }
                honest.hash_page(&key, options).await
            }
        })
}

pub(super) fn state_one_more() -> Hooks {
    Hooks::default().on_hash_state(|honest, key, consistency| async move {
        let state = honest.hash_state(&key, consistency).await?;
        Ok(state.map(|state| HashState::new(state.fields + 1, state.expires)))
    })
}
