//! Mutants of the family `watch`: following changes.

mod log;
mod told;

use futures_util::StreamExt;
use state_core::{Watch, WatchEvent, WatchOptions};

use super::gallery;
use super::hooks::{Events, Honest, Hooks};

gallery! {
    /// Watching is not declared, and the role is handed out.
    "watch.secret" rejected by ["watch.undeclared"] => log::secret;
    /// Puts are told without their version.
    "watch.put.no-version" rejected by ["watch.put"] => told::put_no_version;
    /// Increments are not told.
    "watch.put.no-increments" rejected by ["watch.put"] or late => told::put_no_increments;
    /// Puts are told without their deadline.
    "watch.put.no-deadline" rejected by ["watch.put.deadline"] => told::put_no_deadline;
    /// Deletes are not told.
    "watch.delete.silent" rejected by ["watch.delete", "model.watch"] or late => told::delete_silent;
    /// Touches are not told.
    "watch.touch.silent" rejected by ["watch.touch"] or late => told::touch_silent;
    /// Expiries are told as deletes.
    "watch.expired.as-deleted" rejected by ["watch.expired"] => told::expired_as_deleted;
    /// Changes of hashes are not told.
    "watch.hash.silent" rejected by ["watch.hash"] or late => told::hash_silent;
    /// A clear is told as one of everything.
    "watch.clear.all" rejected by ["watch.clear"] => told::clear_all;
    /// The writes of a batch are not told.
    "watch.batch.silent" rejected by ["watch.batch"] or late => told::batch_silent;
    /// The writes of a transaction are not told.
    "watch.transaction.silent" rejected by ["watch.transaction"] or late => told::transaction_silent;
    /// A write that is refused is told as a touch.
    "watch.refused.told" rejected by ["watch.refused"] => told::refused_told;
    /// Changes that come together are told last to first.
    "watch.order.backwards" rejected by ["watch.order", "race.watch"] => told::backwards;

    /// A watch ignores its prefix.
    "watch.prefix.ignored" rejected by ["watch.prefix"] => told::prefix_ignored;
    /// A watch ignores its scope.
    "watch.scope.ignored" rejected by ["watch.scope"] => told::scope_ignored;
    /// A clear of more than the prefix of a watch is not told.
    "watch.clear.narrow" rejected by ["watch.clear.covers"] => told::clear_narrow;
    /// A decorator that adds the namespace to every key hands out the watches of the store below.
    "watch.forwarded" rejected by ["watch.namespace", "watch.put"] => told::forwarded;
    /// All namespaces have one history.
    "watch.namespace.shared" rejected by ["watch.namespace"] => told::namespace_shared;

    /// A watch from now on begins with what was before.
    "watch.now.earlier" rejected by ["watch.now"] => log::now_is_oldest;
    /// An instance tells only of what was written through it.
    "watch.instances.own" rejected by ["watch.instances"] or late => told::own_writes;
    /// The end of one watch ends them all.
    "watch.drop.ends-all" rejected by ["watch.drop"] => log::drop_ends_all;
    /// A gap is not told.
    "watch.gap.silent" rejected by ["watch.slow", "watch.log.trimmed", "watch.log.foreign-token"] => told::gap_silent;
    /// A watch that could tell nothing is accepted.
    "watch.nothing.accepted" rejected by ["watch.nothing"] => log::nothing_accepted;

    /// A change log is not declared, and read.
    "watch.log.secret" rejected by ["watch.log.undeclared"] => log::log_secret;
    /// The oldest retained change is skipped.
    "watch.log.second-oldest" rejected by ["watch.log.oldest"] => log::second_oldest;
    /// A watch that resumes skips a change.
    "watch.log.resume-skips" rejected by ["watch.log.resume"] => log::resume_skips;
    /// A watch that resumes begins anew.
    "watch.log.resume-anew" rejected by ["watch.log.resume", "watch.log.foreign-token"] => log::resume_anew;
    /// A watch that resumes does not follow.
    "watch.log.resume-ends" rejected by ["watch.log.resume.follows"] => log::resume_ends;
    /// A watch that resumes forgets its filter.
    "watch.log.resume-unfiltered" rejected by ["watch.log.resume.filtered"] => log::resume_unfiltered;
    /// All events have one token.
    "watch.log.one-token" rejected by ["watch.log.tokens"] => log::one_token;
}

/// Watches with changed options, and changes or drops the events.
fn watching(
    ask: fn(&mut WatchOptions),
    tell: fn(&WatchOptions, WatchEvent) -> Option<WatchEvent>,
) -> Hooks {
    Hooks::default().on_watch(move |honest, options| watch(honest, options, ask, tell))
}

async fn watch(
    honest: Honest,
    asked: WatchOptions,
    ask: fn(&mut WatchOptions),
    tell: fn(&WatchOptions, WatchEvent) -> Option<WatchEvent>,
) -> state_core::Result<Events> {
    let mut options = asked.clone();
    ask(&mut options);
    let events = honest.watch(options).await?;
    let told = events.filter_map(move |event| {
        std::future::ready(event.map(|event| tell(&asked, event)).transpose())
    });
    Ok(told.boxed())
}
