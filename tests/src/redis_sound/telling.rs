//! Everything that is told of a store with passwords: events, spans, errors, settings.

use std::fmt::{Debug, Write as _};
use std::sync::Arc;

use futures_util::StreamExt;
use libtest_mimic::Failed;
use parking_lot::Mutex;
use state_core::{
    Acks, ErrorKind, Key, Namespace, PutOptions, StateBackend, StateBackendExt, Watch, WatchOptions,
};
use state_redis::{Delivery, RedisBackend, RedisConfig, RedisStore, SubscribeOptions};
use tokio::runtime::Builder;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

use crate::redis_stage::{PATIENCE, Stage};

const PASSWORD: &str = "hunter2-of-the-user";
const SENTINEL_PASSWORD: &str = "hunter2-of-the-sentinels";
const SECRET: &str = "hunter2";
const VALUE: &str = "value-that-is-private";

/// Keeps whatever is told, at every level, of the driver and all below it.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<String>>);

struct Fields<'t>(&'t mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if write!(self.0, " {}={value:?}", field.name()).is_err() {
            self.0.push_str(" a value that cannot be shown");
        }
    }
}

impl Subscriber for Told {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut told = self.0.lock();
        told.push_str("\nspan");
        attributes.record(&mut Fields(&mut told));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        let mut told = self.0.lock();
        told.push_str("\nrecord");
        values.record(&mut Fields(&mut told));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut told = self.0.lock();
        told.push_str("\nevent");
        event.record(&mut Fields(&mut told));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Another thread, that nobody listens to, calls the driver: as other tests do at the same time.
fn first_elsewhere(stage: &Stage) -> Result<(), Failed> {
    let call = || stage.run(async { Ok(stage.open().await?.put("elsewhere", "1").await?) });
    let called = std::thread::scope(|scope| scope.spawn(call).join());
    called.map_err(|_| "the other thread panicked")?.map(drop)
}

/// What comes over a stream, soon.
async fn heard<T>(next: impl Future<Output = Option<T>>) -> Result<T, Failed> {
    let told = tokio::time::timeout(PATIENCE, next).await.map_err(|_| "nothing was heard")?;
    Ok(told.ok_or("the stream has ended")?)
}

/// A connection of its own, those over which servers tell of changes and of messages, and what comes over them.
async fn other_connections(store: &RedisStore, backend: &RedisBackend) -> Result<String, Failed> {
    let acked = PutOptions::new().with_acks(Acks::Replicas(1));
    let short = backend.put_opts(&Key::from("acked"), VALUE.into(), acked).await;
    let short = short.err().ok_or("there is no replica")?;
    assert_eq!(short.kind(), ErrorKind::Unacknowledged, "{short}");
    let mut changes = backend.watch(WatchOptions::new("")).await?;
    backend.put("watched", VALUE).await?;
    let change = heard(changes.next()).await??;
    let mut messages = store.subscribe(SubscribeOptions::channel("news")).await?;
    store.publish("news", VALUE).await?;
    let message = heard(messages.next()).await??;
    assert!(matches!(&message, Delivery::Message { message, .. } if message == VALUE));
    Ok(format!("{short} {short:?} {change:?}"))
}

/// A user with a password works, fails and is refused, while everything is kept that is told.
pub(super) fn secrets(stage: &Stage) -> Result<(), Failed> {
    let told = Told::default();
    let rules =
        ["ACL", "SETUSER", "worker", "on", &format!(">{PASSWORD}"), "~state:*", "&*", "+@all"];
    stage.admin(&rules)?;
    let address = stage.servers.node(0)?.address();
    // One thread does everything, so that this subscriber hears everything.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    // With a single subscriber, a place in the code that a thread without one is first to come to stays silent for
    // everybody: `tracing` asks the thread then. With a second one it asks both.
    let second = tracing::Dispatch::new(Told::default());
    let shown = tracing::subscriber::with_default(told.clone(), || {
        first_elsewhere(stage)?;
        runtime.block_on(async {
            let url = format!("redis://worker:{PASSWORD}@{address}");
            let mut config = RedisConfig::from_url(&url)?;
            config.acks_timeout_ms = 50;
            let mut shown = format!("{config:?} {config:#?} {}", serde_json::to_string(&config)?);
            let store = RedisStore::connect_with(config.clone()).await?;
            let backend = store.open(Namespace::new("telling")?).await?;
            write!(shown, "{store:?} {backend:?} {:?}", backend.info())?;
            backend.put("k", VALUE).await?;
            assert!(backend.get("k").await?.is_some(), "it was written");
            let refused = backend.increment("k", 1).await.err().ok_or("no number")?;
            write!(shown, "{refused} {refused:?}")?;
            write!(shown, "{}", other_connections(&store, &backend).await?)?;
            // Connections that end, and a login that is refused.
            stage.end_connections(crate::proxy::Ending::Reset);
            drop(backend.get("k").await);
            stage.admin(&["ACL", "SETUSER", "worker", "-get"])?;
            let denied = backend.get("k").await.err().ok_or("it was not denied")?;
            assert_eq!(denied.kind(), ErrorKind::Denied, "{denied}");
            stage.admin(&["ACL", "SETUSER", "worker", "resetpass"])?;
            let late = RedisStore::connect_with(config).await.err().ok_or("it got in")?;
            let sentinels = format!(
                "redis+sentinel://worker:{PASSWORD}@{address}/mymaster?sentinel_password={SENTINEL_PASSWORD}"
            );
            let sentinels = RedisConfig::from_url(&sentinels)?;
            write!(shown, "{sentinels:?} {}", serde_json::to_string(&sentinels)?)?;
            let lost = RedisStore::connect_with(sentinels).await.err().ok_or("no sentinel")?;
            for error in [&denied, &late, &lost] {
                write!(shown, "{error} {error:?}")?;
            }
            for bad in ["redis://u:hunter2@h:port", "redis://:hunter2@[h", "rediss://u:hunter2@h/x"] {
                let error = RedisConfig::from_url(bad).err().ok_or("a bad URL was taken")?;
                write!(shown, "{error} {error:?}")?;
            }
            Ok::<_, Failed>(shown)
        })
    })?;
    drop(second);
    let told = told.0.lock();
    for text in [told.as_str(), &shown] {
        assert!(!text.contains(SECRET), "a password was told");
        assert!(!text.contains(VALUE), "a value was told");
    }
    for op in ["open", "watch", "subscribe", "publish"] {
        assert!(told.contains(&format!("op=\"{op}\"")), "nothing was told of {op}");
    }
    for wanted in
        ["op=\"put\"", "op=\"increment\"", "outcome=ok", "outcome=not applied", "kind=\"denied\""]
    {
        assert!(told.contains(wanted), "nothing was told with {wanted}");
    }
    assert!(told.contains("event") && told.contains("record"), "hardly anything was heard: {told}");
    assert!(shown.contains("telling") && shown.len() > 1_000, "hardly anything was shown");
    Ok(())
}
