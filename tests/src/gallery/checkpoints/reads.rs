//! Mutants that answer reads and listings with something else.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use state_core::checkpoint::{
    CheckpointNamespace, CheckpointTuple, Checkpointer, ListCheckpoints, ListThreads, Metadata,
    MetadataValue, Scalar,
};
use state_core::{Error, Page, PageToken};

use super::broken::{line, refused};
use super::hooks::Hooks;
use super::store::Model;
use crate::gallery::gallery;

/// What a filter that compares by `same` lets through.
fn filtering(
    same: fn(found: Option<&MetadataValue>, wanted: &MetadataValue) -> bool,
    all: fn(usize, usize) -> bool,
) -> Hooks {
    Hooks::default().on_list(move |model, list| async move {
        let filter = list.filter.clone();
        Metadata::new().matches(&filter)?;
        let limit = list.limit;
        let unfiltered = list.with_filter(Metadata::new()).with_limit(1_000);
        let mut page = model.list_checkpoints(unfiltered).await?;
        page.items.retain(|tuple| {
            let metadata = &tuple.metadata;
            let matching = filter.iter().filter(|(name, wanted)| same(metadata.get(name), wanted));
            all(matching.count(), filter.len())
        });
        page.items.truncate(limit);
        Ok(page)
    })
}

fn is_same(found: Option<&MetadataValue>, wanted: &MetadataValue) -> bool {
    found.is_some_and(|found| found.as_scalar().is_some() && found == wanted)
}

/// What a scalar looks like.
fn text(value: &MetadataValue) -> String {
    match value.as_scalar() {
        Some(Scalar::Text(text)) => text.to_string(),
        Some(Scalar::Int(int)) => int.to_string(),
        Some(Scalar::Float(float)) => float.to_string(),
        other => format!("{other:?}"),
    }
}

/// Everything that a listing shows.
async fn whole(model: &Model, list: &ListCheckpoints) -> state_core::Result<Page<CheckpointTuple>> {
    model.list_checkpoints(list.clone().with_token(None).with_limit(1_000)).await
}

gallery! { checkpointers
    /// A filtered listing ends after a thousand records.
    "ckpt.list.pages.filtered.ends" rejected by ["ckpt.list.pages.filtered"] => || {
        Hooks::default().on_list(|model, list| async move {
            let near = whole(&model, &list.clone().with_filter(Metadata::new())).await?;
            let filtered = !list.filter.is_empty();
            let mut page = model.list_checkpoints(list).await?;
            if filtered && near.next.is_some() {
                let seen = |tuple: &CheckpointTuple| near.items.iter().any(|one| one.reference == tuple.reference);
                page.items.retain(seen);
                page.next = page.next.filter(|_| !page.items.is_empty());
            }
            Ok(page)
        })
    };
    /// Reading what is not there is an error.
    "ckpt.get.absent.error" rejected by ["ckpt.get.absent"] => || {
        Hooks::default().on_get(|model, get| async move {
            match model.get_checkpoint(get).await? {
                None => refused(),
                found => Ok(found),
            }
        })
    };
    /// The latest checkpoint is the one with the smallest id.
    "ckpt.get.latest.first" rejected by ["ckpt.get.latest"] => || {
        Hooks::default().on_get(|model, mut get| async move {
            let first = model.with(|world, _| {
                let line = world.threads.get(&get.thread)?.lines.get(&get.namespace)?;
                line.shown.keys().next().cloned()
            });
            get.id = get.id.or(first);
            model.get_checkpoint(get).await
        })
    };
    /// A read answers the latest, whichever checkpoint was named.
    "ckpt.get.by-id.latest" rejected by ["ckpt.get.by-id"] => || {
        Hooks::default().getting(|_, get| get.id = None)
    };
    /// What is read says that it is in the root namespace.
    "ckpt.get.reference.root" rejected by ["ckpt.get.reference"] => || {
        Hooks::default().telling(|tuple| tuple.reference.namespace = CheckpointNamespace::root())
    };
    /// A checkpoint without a parent has its own id as one.
    "ckpt.get.parent.own" rejected by ["ckpt.get.parent"] => || {
        Hooks::default().telling(|tuple| {
            tuple.parent.get_or_insert(tuple.checkpoint.id.clone());
        })
    };
    /// A read that finds nothing in its namespace looks into the others.
    "ckpt.get.namespace.others" rejected by ["ckpt.get.namespace"] => || {
        Hooks::default().on_get(|model, get| async move {
            let found = model.get_checkpoint(get.clone()).await?;
            let others: Vec<_> = model.with(|world, _| {
                let thread = world.threads.get(&get.thread);
                thread.into_iter().flat_map(|thread| thread.lines.keys().cloned()).collect()
            });
            for namespace in others {
                if found.is_some() {
                    break;
                }
                let other = model.get_checkpoint(get.clone().with_namespace(namespace)).await?;
                if other.is_some() {
                    return Ok(other);
                }
            }
            Ok(found)
        })
    };
    /// A read of a checkpoint that is not there answers the one before it.
    "ckpt.get.absent-id.before" rejected by ["ckpt.get.absent-id"] => || {
        Hooks::default().on_get(|model, mut get| async move {
            if let Some(wanted) = &get.id {
                let nearest = model.with(|world, _| {
                    let line = world.threads.get(&get.thread)?.lines.get(&get.namespace)?;
                    line.shown.range(..=wanted.clone()).next_back().map(|(id, _)| id.clone())
                });
                get.id = nearest.or(get.id);
            }
            model.get_checkpoint(get).await
        })
    };

    /// A listing shows no values.
    "ckpt.list.all.without-values" rejected by ["ckpt.list.all"] => || {
        Hooks::default().listing(|_, list| list.values = false)
    };
    /// A listing of a thread shows those whose names begin with its name.
    "ckpt.list.by-thread.prefix" rejected by ["ckpt.list.by-thread"] => || {
        Hooks::default().on_list(|model, list| async move {
            let wanted = list.thread.clone();
            let mut all = list;
            all.thread = None;
            let mut page = model.list_checkpoints(all).await?;
            page.items.retain(|tuple| {
                let thread = tuple.reference.thread.as_str();
                wanted.as_ref().is_none_or(|wanted| thread.starts_with(wanted.as_str()))
            });
            Ok(page)
        })
    };
    /// A listing of a namespace shows those whose names begin with its name.
    "ckpt.list.by-namespace.prefix" rejected by ["ckpt.list.by-namespace", "ckpt.list.root"] => || {
        Hooks::default().on_list(|model, list| async move {
            let wanted = list.namespace.clone();
            let mut page = model.list_checkpoints(list.with_namespace(None)).await?;
            page.items.retain(|tuple| {
                let namespace = tuple.reference.namespace.as_str();
                wanted.as_ref().is_none_or(|wanted| namespace.starts_with(wanted.as_str()))
            });
            Ok(page)
        })
    };
    /// A listing begins with the oldest.
    "ckpt.list.order.rising" rejected by ["ckpt.list.order", "ckpt.list.first-is-latest"] => || {
        Hooks::default().listed(|_, tuples| tuples.reverse())
    };
    /// Filters are ignored.
    "ckpt.list.filter.ignored" rejected by ["ckpt.list.filter.one", "ckpt.list.filter.step"] => || {
        Hooks::default().listing(|_, list| list.filter = Metadata::new())
    };
    /// One value of a filter that matches is enough.
    "ckpt.list.filter.any" rejected by ["ckpt.list.filter.many", "ckpt.list.filter.none"] => || {
        filtering(is_same, |matching, all| matching > 0 || all == 0)
    };
    /// Custom metadata cannot be filtered by.
    "ckpt.list.filter.known" rejected by ["ckpt.list.filter.custom"] => || {
        Hooks::default().listing(|_, list| {
            let known = list.filter.iter().filter(|(name, _)| ["source", "step"].contains(name));
            list.filter = known.map(|(name, value)| (name.to_owned(), value.clone())).collect();
        })
    };
    /// Filters compare what values look like.
    "ckpt.list.filter.texts" rejected by ["ckpt.list.filter.kinds"] => || {
        filtering(
            |found, wanted| found.is_some_and(|found| text(found) == text(wanted)),
            |matching, all| matching == all,
        )
    };
    /// A filter that is no single value matches nothing.
    "ckpt.list.filter.parts.nothing" rejected by ["ckpt.list.filter.parts"] => || {
        Hooks::default().on_list(|model, list| async move {
            if Metadata::new().matches(&list.filter).is_err() {
                return Ok(Page::new(vec![], None));
            }
            model.list_checkpoints(list).await
        })
    };
    /// A filter makes the listing forget its thread.
    "ckpt.list.filter.all-threads" rejected by ["ckpt.list.thread-and-filter"] => || {
        Hooks::default().listing(|_, list| {
            list.thread.take_if(|_| !list.filter.is_empty());
        })
    };
    /// A listing before an id shows the id too.
    "ckpt.list.before.inclusive" rejected by ["ckpt.list.before"] => || {
        Hooks::default().listing(|_, list| {
            if let Some(before) = &list.before {
                list.before = Some(format!("{}\0", before.as_str()).into());
            }
        })
    };
    /// A listing before an id that is not there is empty.
    "ckpt.list.before.needed" rejected by ["ckpt.list.before.absent"] => || {
        Hooks::default().on_list(|model, list| async move {
            if let Some(before) = &list.before {
                let at = list.clone().with_before(None).with_id(before.clone());
                if model.list_checkpoints(at).await?.items.is_empty() {
                    return Ok(Page::new(vec![], None));
                }
            }
            model.list_checkpoints(list).await
        })
    };
    /// Limits are ignored.
    "ckpt.list.limit.ignored" rejected by ["ckpt.list.limit", "ckpt.list.limit.before"] => || {
        Hooks::default().listing(|_, list| {
            if list.limit > 0 {
                list.limit = 1_000;
            }
        })
    };
    /// A limit counts what the filter does not let through, and the rest is forgotten.
    "ckpt.list.limit.unfiltered" rejected by ["ckpt.list.limit.filter"] => || {
        Hooks::default().on_list(|model, list| async move {
            let filter = list.filter.clone();
            let limited = list.with_filter(Metadata::new());
            let mut page = model.list_checkpoints(limited).await?;
            page.items.retain(|tuple| tuple.metadata.matches(&filter).unwrap_or(false));
            page.next.take_if(|_| !filter.is_empty());
            Ok(page)
        })
    };
    /// An empty page has a token.
    "ckpt.list.empty.token" rejected by ["ckpt.list.empty"] => || {
        Hooks::default().on_list(|model, list| async move {
            let mut page = model.list_checkpoints(list).await?;
            if page.items.is_empty() {
                page.next = Some(PageToken::from_bytes("on and on"));
            }
            Ok(page)
        })
    };
    /// A listing shows no writes.
    "ckpt.list.writes.lost" rejected by ["ckpt.list.writes"] => || {
        Hooks::default().listed(|_, tuples| tuples.iter_mut().for_each(|tuple| tuple.pending_writes.clear()))
    };
    /// A listing of several namespaces shows one after the other.
    "ckpt.list.namespaces.apart" rejected by ["ckpt.list.namespaces"] => || {
        Hooks::default().listed(|_, tuples| {
            tuples.sort_by_key(|tuple| (tuple.reference.thread.clone(), tuple.reference.namespace.clone()));
        })
    };
    /// A listing of all threads is ordered by falling id.
    "ckpt.list.threads.mixed" rejected by ["ckpt.list.threads"] => || {
        Hooks::default().listed(|_, tuples| {
            tuples.sort_by(|a, b| b.reference.id.cmp(&a.reference.id));
        })
    };
    /// A listing of an id shows all.
    "ckpt.list.by-id.ignored" rejected by ["ckpt.list.by-id"] => || {
        Hooks::default().listing(|_, list| list.id = None)
    };
    /// A listing without values shows them.
    "ckpt.list.without-values.shown" rejected by ["ckpt.list.without-values"] => || {
        Hooks::default().listing(|_, list| list.values = true)
    };
    /// A listing ends with its first page.
    "ckpt.list.pages.first" rejected by ["ckpt.list.pages", "ckpt.list.pages.threads", "ckpt.list.pages.all"] => || {
        Hooks::default().on_list(|model, list| async move {
            Ok(Page::new(model.list_checkpoints(list).await?.items, None))
        })
    };
    /// Page tokens count how many checkpoints were shown.
    "ckpt.list.pages.counted" rejected by ["ckpt.list.pages.meanwhile", "ckpt.list.token.forged", "ckpt.list.token.other"] => || {
        Hooks::default().on_list(|model, list| async move {
            let limit = list.limit;
            let mut items = whole(&model, &list).await?.items;
            let token = list.token.as_ref().map(|token| String::from_utf8_lossy(token.as_bytes()).into_owned());
            let shown: usize = token.map_or(Ok(0), |token| token.parse()).map_err(|_| Error::invalid("a bad token"))?;
            items.drain(..shown.min(items.len()));
            let more = items.len() > limit;
            items.truncate(limit);
            let next = more.then(|| PageToken::from_bytes((shown + limit).to_string()));
            Ok(Page::new(items, next))
        })
    };
    /// A limit of 0 is taken for the largest.
    "ckpt.list.limit.zero.all" rejected by ["ckpt.list.limit.zero"] => || {
        Hooks::default().listing(|_, list| {
            if list.limit == 0 {
                list.limit = usize::MAX;
            }
        })
    };
    /// A page token that is not understood begins anew.
    "ckpt.list.token.begins-anew" rejected by ["ckpt.list.token.forged"] => || {
        Hooks::default().on_list(|model, list| async move {
            let anew = list.clone().with_token(None);
            match model.list_checkpoints(list).await {
                Err(error) if anew.limit > 0 => {
                    drop(error);
                    model.list_checkpoints(anew).await
                }
                answer => answer,
            }
        })
    };

    /// Threads are listed once for each of their namespaces, and once more.
    "ckpt.threads.once.twice" rejected by ["ckpt.threads.once"] => || {
        Hooks::default().summarising(|_, summaries| {
            let again = summaries.clone();
            summaries.extend(again);
        })
    };
    /// The summary of a thread counts the root namespace.
    "ckpt.threads.counted.root" rejected by ["ckpt.threads.counted"] => || {
        Hooks::default().summarising(|model, summaries| {
            for summary in summaries {
                let root = state_core::checkpoint::CheckpointRef::new(summary.thread.clone(), "1");
                summary.checkpoints = line(model, &root, |line| line.shown.len() as u64).unwrap_or(0);
            }
        })
    };
    /// The summary of a thread tells when it was first seen.
    "ckpt.threads.last-write.first" rejected by ["ckpt.threads.last-write"] => || {
        let first = Arc::new(Mutex::new(BTreeMap::new()));
        Hooks::default().on_threads(move |model, list: ListThreads| {
            let first = Arc::clone(&first);
            async move {
                let mut page = model.list_threads(list).await?;
                for summary in &mut page.items {
                    let seen = summary.last_write;
                    summary.last_write = *first.lock().entry(summary.thread.clone()).or_insert(seen);
                }
                Ok(page)
            }
        })
    };
    /// All threads are said to take 100 bytes.
    "ckpt.threads.bytes.constant" rejected by ["ckpt.threads.bytes"] => || {
        Hooks::default().summarising(|_, summaries| {
            for summary in summaries {
                summary.bytes = 100;
            }
        })
    };
    /// A listing of threads ends with its first page.
    "ckpt.threads.pages.first" rejected by ["ckpt.threads.pages"] => || {
        Hooks::default().on_threads(|model, list| async move {
            Ok(Page::new(model.list_threads(list).await?.items, None))
        })
    };
    /// A token for threads that is not understood begins anew.
    "ckpt.threads.pages.begins-anew" rejected by ["ckpt.threads.pages.bad"] => || {
        Hooks::default().on_threads(|model, list| async move {
            let anew = ListThreads::new().with_limit(list.limit.max(1));
            match model.list_threads(list).await {
                Err(_) => model.list_threads(anew).await,
                answer => answer,
            }
        })
    };
    /// The end of a thread's lifetime is not told.
    "ckpt.life.shown.unknown" rejected by ["ckpt.life.shown"] => || {
        Hooks::default().summarising(|_, summaries| {
            for summary in summaries {
                summary.expires = state_core::Expires::Unknown;
            }
        })
    };
}
