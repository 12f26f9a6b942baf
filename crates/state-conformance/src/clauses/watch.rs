//! The clauses of the family `watch`: following changes.

mod events;
mod filter;
mod follow;
mod log;

use std::time::Duration;

use futures_util::StreamExt;
use state_core::{
    BoxStream, Change, Result, StateBackend, Version, WatchEvent, WatchOptions, WatchStart,
};

clauses! { "watch": "following changes";
    /// Without the capability `watch`, no instance hands out the role.
    MUST "watch.undeclared" unless [Watch] => follow::undeclared;

    /// A write is told with its key and the version that its receipt names.
    MUST "watch.put" needs [Watch] => events::put;
    /// The end of the lifetime that a write gives is told with it.
    MUST "watch.put.deadline" needs [Watch, Expiry] => events::put_deadline;
    /// A delete is told, and one that met nothing is not.
    MUST "watch.delete" needs [Watch] => events::delete;
    /// A touch is told with the new end of the lifetime, or without `watch-log` as a put of the version that is there; one that met nothing is not told.
    MUST "watch.touch" needs [Watch, Expiry] => events::touch;
    /// Some time after the end of a lifetime, the expiry of the entry is told.
    MUST "watch.expired" needs [Watch, Expiry] => events::expired;
    /// Each change of the fields of a hash is told with the key of the hash.
    MUST "watch.hash" needs [Watch, Hash] => events::hash;
    /// A clear is told with its prefix and its scope.
    MUST "watch.clear" needs [Watch] => events::clear;
    /// Each write of a batch is told, and each that was refused is not.
    MUST "watch.batch" needs [Watch] => events::batch;
    /// Each write of a transaction is told, and none of one that was refused.
    MUST "watch.transaction" needs [Watch, Transact] => events::transaction;
    /// What was refused, and what was only read, is not told.
    MUST "watch.refused" needs [Watch] => events::refused_calls;
    /// The changes of one key are told in the order in which they happened, and the last of them is always told.
    MUST "watch.order" needs [Watch] => events::order;

    /// A watch tells the changes of keys whose names begin with the literal bytes of its prefix, and of no other.
    MUST "watch.prefix" needs [Watch] => filter::prefix;
    /// A watch tells the changes in its scope, and of no other partition.
    MUST "watch.scope" needs [Watch] => filter::scope;
    /// A clear is told to every watch whose keys it may have met, and to no other.
    MUST "watch.clear.covers" needs [Watch] => filter::clear;
    /// Changes of other namespaces are not told.
    MUST "watch.namespace" needs [Watch] => filter::namespace;

    /// A watch from now on tells every change that is made after the call has returned, and none from before.
    MUST "watch.now" needs [Watch] => follow::now;
    /// Two instances of a namespace tell the same changes.
    MUST "watch.instances" needs [Watch] => follow::instances;
    /// Dropping a watch ends it and nothing else.
    MUST "watch.drop" needs [Watch] => follow::dropped;
    /// A reader that is too slow gets every change or a gap, never a silent loss.
    MUST "watch.slow" needs [Watch] => follow::slow;
    /// A watch that begins now and does not follow is refused with `Invalid`.
    MUST "watch.nothing" needs [Watch] => follow::nothing;

    /// Without the capability `watch-log`, a watch that begins with the oldest change or after a token is refused with `Unsupported`.
    MUST "watch.log.undeclared" needs [Watch] unless [WatchLog] => log::undeclared;
    /// A watch from the oldest change on that does not follow tells every retained change and ends.
    MUST "watch.log.oldest" needs [WatchLog] => log::oldest;
    /// A watch that resumes after a token tells exactly the changes that came after that event, on any instance.
    MUST "watch.log.resume" needs [WatchLog] => log::resume;
    /// A watch that resumes after a token goes on with the changes that are made from then on.
    MUST "watch.log.resume.follows" needs [WatchLog] => log::resume_follows;
    /// A watch that resumes under a filter tells what that filter covers, whichever watch the token came from.
    MUST "watch.log.resume.filtered" needs [WatchLog] => log::resume_filtered;
    /// A watch that resumes where changes are no longer retained tells every change since then or a gap first, and the gap can be resumed after.
    MUST "watch.log.trimmed" needs [WatchLog] => log::trimmed;
    /// A watch that resumes after a token of another history tells a gap first or is refused with `Invalid`.
    MUST "watch.log.foreign-token" needs [WatchLog] => log::foreign_token;
    /// After a restart the change log is as it was, and a watch resumes after a token from before with exactly the changes that came after that event.
    MUST "watch.log.restart" needs [WatchLog, Durable] restarting store => log::restart;
    /// Each event has a token of its own.
    MUST "watch.log.tokens" needs [WatchLog] => log::tokens;
}

/// Events as they come.
pub(super) type Events = BoxStream<'static, Result<WatchEvent>>;

async fn watch(store: &dyn StateBackend, options: WatchOptions) -> Events {
    store.as_watch().unwrap().watch(options).await.unwrap()
}

/// Follows all changes of the namespace from now on.
pub(super) async fn follow(store: &dyn StateBackend) -> Events {
    watch(store, WatchOptions::default()).await
}

/// The next event, which must come within 10 s.
pub(super) async fn next(events: &mut Events, what: &str) -> WatchEvent {
    let told = tokio::time::timeout(Duration::from_secs(10), events.next()).await;
    match told.unwrap_or_else(|_elapsed| panic!("{what}: it was not told within 10 s")) {
        Some(Ok(event)) => event,
        Some(Err(error)) => panic!("{what}: the watch failed: {error}"),
        None => panic!("{what}: the watch has ended"),
    }
}

/// The next event must tell `expected`.
pub(super) async fn tells(events: &mut Events, expected: Change) {
    let told = next(events, &format!("{expected:?}")).await.change;
    assert_eq!(told, expected, "the next change that is told");
}

/// The next events must tell these changes of different keys.
async fn same_in_any_order(events: &mut Events, mut expected: Vec<Change>) {
    while !expected.is_empty() {
        let told = next(events, "a write").await.change;
        let place = expected.iter().position(|change| *change == told);
        let Some(place) = place else { panic!("{told:?} was told, expected {expected:?}") };
        expected.swap_remove(place);
    }
}

/// What a put without a lifetime is told as.
pub(super) fn put(key: impl Into<state_core::Key>, version: Version) -> Change {
    Change::Put { key: key.into(), version, deadline: None }
}

/// Everything from `start` on that is told without following.
async fn told(store: &dyn StateBackend, start: WatchStart) -> Vec<WatchEvent> {
    let options = WatchOptions::default().with_start(start).with_follow(false);
    all(watch(store, options).await).await
}

/// All events of a watch that does not follow.
async fn all(events: Events) -> Vec<WatchEvent> {
    let all = events.map(|event| event.unwrap()).collect();
    let ended = tokio::time::timeout(Duration::from_secs(20), all).await;
    ended.unwrap_or_else(|_elapsed| panic!("a watch that does not follow did not end"))
}

/// The versions of the puts among `events`, in their order.
fn versions<'e>(events: impl IntoIterator<Item = &'e WatchEvent>) -> Vec<Version> {
    let put = |event: &WatchEvent| match event.change {
        Change::Put { version, .. } => Some(version),
        _ => None,
    };
    events.into_iter().filter_map(put).collect()
}
