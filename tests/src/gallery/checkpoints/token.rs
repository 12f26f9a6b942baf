//! Pages of listings, and the tokens between them: a digest of what is listed, and the last item. A listing that
//! goes on after an item that was removed meanwhile is refused, which no clause minds.

use std::hash::{DefaultHasher, Hash, Hasher};

use state_core::checkpoint::{CheckpointTuple, ListCheckpoints, ListThreads, ThreadSummary};
use state_core::{Error, Page, PageToken, Result};

/// The place of an item, in the order of its listing, as text that tells all places apart.
type Place = String;

/// The token of a listing that has come to `place`.
fn made(listing: &str, place: &Place) -> PageToken {
    let mut digest = DefaultHasher::new();
    (listing, place).hash(&mut digest);
    PageToken::from_bytes(format!("{:016x}{place}", digest.finish()))
}

/// How many items lie before the token: those up to its place, which must be there.
fn passed(listing: &str, token: Option<&PageToken>, places: &[Place]) -> Result<usize> {
    let Some(token) = token else { return Ok(0) };
    let forged = || Error::invalid("the page token was not made for this listing");
    let text = std::str::from_utf8(token.as_bytes()).map_err(|_utf8| forged())?;
    let place = text.get(16..).ok_or_else(forged)?.to_owned();
    if made(listing, &place) != *token {
        return Err(forged());
    }
    let found = places.iter().position(|at| *at == place).ok_or_else(forged)?;
    Ok(found + 1)
}

fn cut<T>(
    mut items: Vec<T>,
    places: &[Place],
    listing: &str,
    passed: usize,
    limit: usize,
) -> Page<T> {
    items.drain(..passed.min(items.len()));
    let more = items.len() > limit;
    items.truncate(limit);
    let last = more.then(|| places.get(passed + limit - 1)).flatten();
    Page::new(items, last.map(|place| made(listing, place)))
}

/// One page of `all`.
pub(super) fn page(
    all: Vec<CheckpointTuple>,
    list: &ListCheckpoints,
    limit: usize,
) -> Result<Page<CheckpointTuple>> {
    let listing = format!(
        "{:?}",
        (&list.thread, &list.namespace, &list.id, &list.before, &list.filter, list.values)
    );
    let place = |tuple: &CheckpointTuple| {
        let at = &tuple.reference;
        format!("{:?}", (at.thread.as_str(), at.id.as_str(), at.namespace.as_str()))
    };
    let places: Vec<_> = all.iter().map(place).collect();
    let passed = passed(&listing, list.token.as_ref(), &places)?;
    Ok(cut(all, &places, &listing, passed, limit))
}

/// One page of all threads.
pub(super) fn page_of_threads(
    all: Vec<ThreadSummary>,
    list: &ListThreads,
    limit: usize,
) -> Result<Page<ThreadSummary>> {
    let places: Vec<_> = all.iter().map(|summary| summary.thread.as_str().to_owned()).collect();
    let passed = passed("threads", list.token.as_ref(), &places)?;
    Ok(cut(all, &places, "threads", passed, limit))
}
