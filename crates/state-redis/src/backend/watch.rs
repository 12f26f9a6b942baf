//! Following changes, and telling those who do of clears.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::future::join_all;
use state_core::{
    ClearOptions, Error, Operation, Result, Watch, WatchEvent, WatchOptions, WatchStart,
};
use tokio::time::Instant;

use super::op::Op;
use super::{Inner, RedisBackend};
use crate::client::Role;
use crate::command::Command;
use crate::stats::Call;
use crate::topology::slot_of;
use crate::watch::{ANNOUNCEMENT_LIFETIME, Announcement, Hub, Phase};

/// How many names are tried to find one in a slot of a certain primary: far more than there are
/// slots.
const PLACES_MAX: u32 = 500_000;

#[async_trait]
impl Watch for RedisBackend {
    async fn watch(&self, options: WatchOptions) -> Result<BoxStream<'static, Result<WatchEvent>>> {
        let op = self.inner.begin(Operation::Watch);
        let inner = Arc::clone(&self.inner);
        let begun = async {
            if inner.layout.log.is_some() {
                Arc::clone(&inner).watch_log(&op, options).await
            } else {
                inner.watch_changes(options).await
            }
        };
        self.counted(&op, pin!(begun), |_| Call::default()).await
    }
}

impl Inner {
    async fn watch_changes(
        &self,
        options: WatchOptions,
    ) -> Result<BoxStream<'static, Result<WatchEvent>>> {
        if options.start != WatchStart::Now {
            return Err(Error::unsupported("following changes from before"));
        }
        if !options.follow {
            let message = "a watch that begins now and does not follow tells nothing";
            return Err(Error::invalid(message));
        }
        let hub = self.client.hubs().get(|runtime| Hub::start(self.client.clone(), runtime))?;
        hub.watch(&self.keys, options).await
    }

    /// Tells watchers that a clear begins. What can not be announced is told key by key.
    pub(super) async fn announce_clear<'a>(
        &'a self,
        op: &'a Op,
        options: &ClearOptions,
    ) -> ClearAnnounced<'a> {
        let mut announced = ClearAnnounced {
            inner: self,
            op,
            keys: Vec::new(),
            what: Announcement {
                phase: Phase::Begun,
                parts: 0,
                prefix: options.prefix.clone(),
                scope: options.scope.clone(),
            },
            begun: Instant::now(),
            renewed_ms: AtomicU64::new(0),
        };
        if self.layout.log.is_some() {
            // The log tells of it.
            return announced;
        }
        let mut id = [0; 16];
        if getrandom::fill(&mut id).is_err() {
            return announced;
        }
        for node in self.client.nodes() {
            let here = |place: &u32| {
                self.client.slot_owner(slot_of(&self.keys.announcement(*place, &id))) == node
            };
            let place = (0..PLACES_MAX).find(here);
            announced.keys.extend(place.map(|place| self.keys.announcement(place, &id)));
        }
        announced.what.parts = u32::try_from(announced.keys.len()).unwrap_or(u32::MAX);
        if let Err(error) = announced.write().await {
            tracing::debug!(%error, "a clear could not be announced to watchers");
            announced.withdraw().await;
            announced.keys.clear();
        }
        announced
    }
}

/// A clear that watchers know of.
pub(super) struct ClearAnnounced<'a> {
    inner: &'a Inner,
    op: &'a Op,
    /// One on each primary.
    keys: Vec<Bytes>,
    what: Announcement,
    begun: Instant,
    /// When it was written last, in milliseconds after its beginning.
    renewed_ms: AtomicU64,
}

impl ClearAnnounced<'_> {
    /// Keeps it from expiring while keys are removed.
    pub(super) async fn renew(&self) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let third = u64::try_from(ANNOUNCEMENT_LIFETIME.as_millis() / 3).unwrap_or(u64::MAX);
        if now.saturating_sub(self.renewed_ms.load(Ordering::Relaxed)) < third {
            return;
        }
        self.renewed_ms.store(now, Ordering::Relaxed);
        if let Err(error) = self.write().await {
            tracing::debug!(%error, "the announcement of a clear was not renewed");
        }
    }

    /// Tells watchers how the clear has ended.
    pub(super) async fn end<T>(mut self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.withdraw().await;
        } else {
            self.what.phase = Phase::Done;
            // When this fails, the announcement expires, and a gap is told instead.
            if let Err(error) = self.write().await {
                tracing::debug!(%error, "the end of a clear was not announced to watchers");
            }
        }
        result
    }

    async fn write(&self) -> Result<()> {
        let value = self.what.encode();
        self.each(|key| {
            let mut command = Command::new("SET");
            command.arg(key.as_ref()).arg(value.as_ref()).arg("PX");
            command.arg(u64::try_from(ANNOUNCEMENT_LIFETIME.as_millis()).unwrap_or(u64::MAX));
            command
        })
        .await
    }

    /// Watchers that knew of it tell a gap.
    async fn withdraw(&self) {
        let removed = self.each(|key| {
            let mut command = Command::new("UNLINK");
            command.arg(key.as_ref());
            command
        });
        if let Err(error) = removed.await {
            tracing::debug!(%error, "the announcement of a clear was not withdrawn");
        }
    }

    async fn each(&self, command: impl Fn(&Bytes) -> Command) -> Result<()> {
        let sent = self.keys.iter().map(|key| {
            let command = command(key);
            self.inner.command(self.op, key, Role::Primary, command)
        });
        join_all(sent).await.into_iter().try_for_each(|sent| sent.map(drop))
    }
}
