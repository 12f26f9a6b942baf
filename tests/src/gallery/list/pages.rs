//! Defects of paging.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use state_core::{Capability, Error, ListOptions, Meta, Page, PageToken, Result, StateBackend};

use crate::gallery::hooks::Hooks;

/// Changes every page that the honest store answers.
fn paging(change: fn(&mut Page<Meta>)) -> Hooks {
    Hooks::default().on_list(move |honest, options| async move {
        let mut page = honest.list_page(options).await?;
        change(&mut page);
        Ok(page)
    })
}

pub(super) fn empty_fails() -> Hooks {
    Hooks::default().on_list(|honest, options| async move {
        let page = honest.list_page(options).await?;
        if page.items.is_empty() {
            return Err(Error::invalid("there is no such namespace"));
        }
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

pub(super) fn one_more() -> Hooks {
    Hooks::default().on_list(|honest, mut options| async move {
        options.limit = if options.limit == 0 { 0 } else { options.limit.saturating_add(1) };
        honest.list_page(options).await
    })
}

pub(super) fn zero_is_all() -> Hooks {
    Hooks::default().on_list(|honest, mut options| async move {
        if options.limit == 0 {
            options.limit = usize::MAX;
        }
        honest.list_page(options).await
    })
}

pub(super) fn most_refused() -> Hooks {
    Hooks::default().on_list(|honest, options| async move {
        if options.limit > honest.capabilities().limits.page_items_max {
            return Err(Error::invalid("the limit of a page is too large"));
        }
        honest.list_page(options).await
    })
}

pub(super) fn token_anything() -> Hooks {
    Hooks::default().on_list(|honest, mut options| async move {
        let page = honest.list_page(options.clone()).await;
        if page.is_err() && options.token.is_some() {
            options.token = None;
            return honest.list_page(options).await;
        }
        page
    })
}

/// Everything that a listing names.
async fn everything(honest: &impl StateBackend, options: &ListOptions) -> Result<Vec<Meta>> {
    let mut options = options.clone();
    options.limit = 1_000;
    options.token = None;
    let mut all = Vec::new();
    loop {
        let page = honest.list_page(options.clone()).await?;
        all.extend(page.items);
        if page.next.is_none() {
            return Ok(all);
        }
        options.token = page.next;
    }
}

pub(super) fn token_entry() -> Hooks {
    Hooks::default().on_list(|honest, options| async move {
        let limit = honest.capabilities().limits.check_page(options.limit)?;
        let all = everything(&*honest.backend, &options).await?;
        let name = |meta: &Meta| meta.key.to_string().into_bytes();
        let begin = match &options.token {
            None => 0,
            Some(token) => {
                let last = all.iter().position(|meta| name(meta) == *token.as_bytes());
                last.ok_or_else(|| Error::invalid("the token is not known"))? + 1
            }
        };
        let items: Vec<Meta> = all.iter().skip(begin).take(limit).cloned().collect();
        let last = items.last().filter(|_| begin + items.len() < all.len());
        let next = last.map(|last| PageToken::from_bytes(name(last)));
        Ok(Page::new(items, next))
    })
}

pub(super) fn token_offset() -> Hooks {
    Hooks::default().on_list(|honest, options| async move {
        let limit = honest.capabilities().limits.check_page(options.limit)?;
        let all = everything(&*honest.backend, &options).await?;
        let offset = options.token.as_ref().map_or(Ok(0), |token| {
            let text = std::str::from_utf8(token.as_bytes()).ok();
            let offset = text.and_then(|text| text.parse::<usize>().ok());
            offset.ok_or_else(|| Error::invalid("the token is not known"))
        })?;
        let items: Vec<Meta> = all.iter().skip(offset).take(limit).cloned().collect();
        let end = offset + items.len();
        let next = (end < all.len()).then(|| PageToken::from_bytes(end.to_string()));
        Ok(Page::new(items, next))
    })
}

pub(super) fn token_one_state() -> Hooks {
    let writes = Arc::new(AtomicU64::new(0));
    let (putting, begun) = (Arc::clone(&writes), Arc::new(AtomicU64::new(0)));
    Hooks::default()
        .on_put(move |honest, key, value, options| {
            putting.fetch_add(1, Ordering::Relaxed);
            async move { honest.put_opts(&key, value, options).await }
        })
        .on_list(move |honest, options| {
            let now = writes.load(Ordering::Relaxed);
            if options.token.is_none() {
                begun.store(now, Ordering::Relaxed);
            }
            let same = begun.load(Ordering::Relaxed) == now;
            async move {
                if same { honest.list_page(options).await } else { Ok(Page::new(Vec::new(), None)) }
            }
        })
}

pub(super) fn reversed() -> Hooks {
    paging(|page| page.items.reverse())
}

pub(super) fn after_ignored() -> Hooks {
    Hooks::default()
        .on_list(|honest, options| async move { honest.list_page(options.with_after(None)).await })
}

pub(super) fn after_inclusive() -> Hooks {
    Hooks::default().on_list(|honest, mut options| async move {
        // The greatest name that is smaller than one with a last byte: all but that byte.
        options.after = options.after.map(|name| name.slice(..name.len().saturating_sub(1)));
        honest.list_page(options).await
    })
}

pub(super) fn after_secret() -> Hooks {
    after_ignored().declaring(|_, honest| honest.without(Capability::OrderedList))
}

pub(super) fn overlap() -> Hooks {
    Hooks::default().on_list(|honest, options| async move {
        let goes_on = options.token.is_some();
        let mut page = honest.list_page(options).await?;
        if goes_on && let Some(first) = page.items.first().cloned() {
            page.items.insert(0, first);
        }
        Ok(page)
    })
}

pub(super) fn wrong_size() -> Hooks {
    paging(|page| {
        for meta in &mut page.items {
            meta.value_bytes = Some(meta.key.len_bytes() as u64);
        }
    })
}

pub(super) fn ghost() -> Hooks {
    Hooks::default().on_list(|honest, options| async move {
        let eventual = options.consistency == state_core::Consistency::Eventual;
        let mut page = honest.list_page(options).await?;
        if eventual {
            page.items.push(Meta::new("ghost".into()));
        }
        Ok(page)
    })
}
