//! What a call that failed for good leaves in the log. Alone in its file: the subscriber is the
//! process's.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use state_core::{ErrorKind, Outcome};
use state_redis::{RedisConfig, RedisStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(Level, String)>>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("state_redis")
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = String::new();
        event.record(&mut Line(&mut line));
        self.0.lock().unwrap().push((*event.metadata().level(), line));
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// A server that answers whatever arrives with an error whose text must not be repeated.
async fn loading() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                    let reply = b"-LOADING the key hunter2 is on its way\r\n";
                    if stream.write_all(reply).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn the_last_failure_is_logged_once_with_the_operation_and_nothing_secret() {
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let port = loading().await;
    let config = RedisConfig::from_url(&format!("redis://me:hunter2@127.0.0.1:{port}")).unwrap();
    let error = RedisStore::connect_with(config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotApplied);
    assert_eq!(error.attempts(), 4);
    let lines = log.0.lock().unwrap();
    let errors: Vec<&String> =
        lines.iter().filter(|(level, _)| *level == Level::ERROR).map(|(_, line)| line).collect();
    assert_eq!(errors.len(), 1, "{lines:?}");
    assert!(errors[0].contains("Redis connection failed after 3 retries"), "{errors:?}");
    assert!(errors[0].contains("op=\"connect\"") && errors[0].contains("attempts=4"), "{errors:?}");
    assert!(lines.len() > 3, "each retry is told at debug level: {lines:?}");
    assert!(!format!("{lines:?} {error} {error:?}").contains("hunter2"), "{lines:?} {error:?}");
}
