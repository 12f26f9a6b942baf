//! Defects of where a watch begins, and how it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt, stream};
use state_core::{
    Bytes, Capability, ResumeToken, Scope, Watch, WatchEvent, WatchOptions, WatchStart,
};

use super::watching;
use crate::gallery::hooks::Hooks;

pub(super) fn secret() -> Hooks {
    Hooks::default()
        .declaring(|_, honest| honest.without(Capability::Watch).without(Capability::WatchLog))
}

pub(super) fn log_secret() -> Hooks {
    Hooks::default().declaring(|_, honest| honest.without(Capability::WatchLog))
}

/// Changes where watches begin.
fn beginning(ask: fn(&mut WatchOptions)) -> Hooks {
    watching(ask, |_, event| Some(event))
}

pub(super) fn now_is_oldest() -> Hooks {
    beginning(|options| {
        if options.start == WatchStart::Now && options.follow {
            options.start = WatchStart::Oldest;
        }
    })
}

pub(super) fn resume_anew() -> Hooks {
    beginning(|options| {
        if matches!(options.start, WatchStart::After(_)) {
            options.start = WatchStart::Oldest;
        }
    })
}

pub(super) fn resume_ends() -> Hooks {
    Hooks::default().on_watch(|honest, options| async move {
        if !options.follow || !matches!(options.start, WatchStart::After(_)) {
            return honest.watch(options).await;
        }
        let retained = honest.watch(options.with_follow(false)).await?;
        let retained: Vec<_> = retained.collect().await;
        Ok(stream::iter(retained).boxed())
    })
}

pub(super) fn resume_unfiltered() -> Hooks {
    beginning(|options| {
        if matches!(options.start, WatchStart::After(_)) {
            options.prefix = Bytes::new();
            options.scope = Scope::All;
        }
    })
}

pub(super) fn one_token() -> Hooks {
    watching(
        |_| {},
        |_, event| Some(WatchEvent::new(ResumeToken::from_bytes([7; 32]), event.change)),
    )
}

/// Leaves out the first event of watches that begin in this way.
fn skipping(skips: fn(&WatchStart) -> bool) -> Hooks {
    Hooks::default().on_watch(move |honest, options| async move {
        let first = usize::from(skips(&options.start));
        Ok(honest.watch(options).await?.skip(first).boxed())
    })
}

pub(super) fn second_oldest() -> Hooks {
    skipping(|start| *start == WatchStart::Oldest)
}

pub(super) fn resume_skips() -> Hooks {
    skipping(|start| matches!(start, WatchStart::After(_)))
}

pub(super) fn nothing_accepted() -> Hooks {
    Hooks::default().on_watch(|honest, options| async move {
        if options.start == WatchStart::Now && !options.follow {
            return Ok(stream::empty().boxed());
        }
        honest.watch(options).await
    })
}

/// Says so when it is dropped.
struct Ending(Arc<AtomicBool>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

pub(super) fn drop_ends_all() -> Hooks {
    let ended = Arc::new(AtomicBool::new(false));
    Hooks::default().on_watch(move |honest, options| {
        let (ended, ending) = (Arc::clone(&ended), Ending(Arc::clone(&ended)));
        async move {
            let events = honest.watch(options).await?.take_while(move |_| {
                let _held = &ending;
                std::future::ready(!ended.load(Ordering::Acquire))
            });
            Ok(events.boxed())
        }
    })
}
