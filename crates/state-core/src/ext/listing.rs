//! Streams over pages, with repeats left out where pages may repeat.

use std::collections::HashSet;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    Capability, Entry, Error, GetOptions, HashPageOptions, HashStore, Key, ListOptions, PageToken,
    Result, StateBackend,
};

pub(super) fn keys<B: StateBackend + ?Sized>(
    backend: &B,
    prefix: Bytes,
) -> BoxStream<'_, Result<Key>> {
    pages(backend, prefix).map_ok(|page| stream::iter(page).map(Ok)).try_flatten().boxed()
}

pub(super) fn entries<B: StateBackend + ?Sized>(
    backend: &B,
    prefix: Bytes,
) -> BoxStream<'_, Result<(Key, Entry)>> {
    pages(backend, prefix)
        .and_then(move |keys| async move {
            let chunk = backend.capabilities().limits.batch_ops_max.max(1);
            let mut present = VecDeque::with_capacity(keys.len());
            for keys in keys.chunks(chunk) {
                let options = GetOptions::new().with_expiry(true);
                let found = backend.get_many(keys, options).await?;
                for (key, entry) in keys.iter().zip(found) {
                    present.extend(entry?.map(|entry| (key.clone(), entry)));
                }
            }
            Ok(stream::iter(present).map(Ok))
        })
        .try_flatten()
        .boxed()
}

pub(super) async fn collect(keys: BoxStream<'_, Result<Key>>) -> Result<Vec<Key>> {
    keys.try_collect().await
}

/// Collects a hash; of a field that a page repeats the first value stays.
pub(super) async fn hash_fields(hash: &dyn HashStore, key: &Key) -> Result<Vec<(Bytes, Bytes)>> {
    let mut seen = HashSet::new();
    let mut fields = Vec::new();
    let mut token = None;
    loop {
        let page = hash.hash_page(key, HashPageOptions::new().with_token(token)).await?;
        for (field, value) in page.items {
            if seen.insert(field.clone()) {
                fields.push((field, value));
            }
        }
        token = page.next;
        if token.is_none() {
            return Ok(fields);
        }
    }
}

/// Pages of keys, each key once.
fn pages<B: StateBackend + ?Sized>(backend: &B, prefix: Bytes) -> BoxStream<'_, Result<Vec<Key>>> {
    let ordered = backend.capabilities().has(Capability::OrderedList);
    let state = Some((None::<PageToken>, (!ordered).then(Seen::default)));
    stream::try_unfold(state, move |state| {
        let options = ListOptions::new(prefix.clone());
        async move {
            let Some((token, mut seen)) = state else { return Ok::<_, Error>(None) };
            let page = backend.list_page(options.with_token(token)).await?;
            let mut keys: Vec<Key> = page.items.into_iter().map(|meta| meta.key).collect();
            if let Some(seen) = &mut seen {
                keys.retain(|key| seen.is_new(key));
            }
            Ok(Some((keys, page.next.map(|token| (Some(token), seen)))))
        }
    })
    .boxed()
}

/// Remembers keys by a 128-bit hash under random keys, so that 10 million keys take 160 MB and
/// a chance of about 10^-25 to leave one out.
#[derive(Default)]
struct Seen {
    hashers: [RandomState; 2],
    hashes: HashSet<(u64, u64)>,
}

impl Seen {
    fn is_new(&mut self, key: &Key) -> bool {
        let [low, high] = &self.hashers;
        self.hashes.insert((low.hash_one(key), high.hash_one(key)))
    }
}
