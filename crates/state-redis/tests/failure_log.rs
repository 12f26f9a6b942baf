//! What a call that failed for good leaves in the log. Alone in its file: the subscriber is the
//! process's.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

#[expect(dead_code, unreachable_pub, reason = "shared by tests that look at other parts")]
mod log;

use log::Log;
use state_core::{ErrorKind, Outcome};
use state_redis::{RedisConfig, RedisStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

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
    let log = Log::install();
    let port = loading().await;
    let config = RedisConfig::from_url(&format!("redis://me:hunter2@127.0.0.1:{port}")).unwrap();
    let error = RedisStore::connect_with(config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotApplied);
    assert_eq!(error.attempts(), 4);
    let (lines, errors) = (log.events(), log.errors());
    assert_eq!(errors.len(), 1, "{lines:?}");
    assert!(errors[0].contains("Redis connection failed after 3 retries"), "{errors:?}");
    assert!(errors[0].contains("op=\"connect\"") && errors[0].contains("attempts=4"), "{errors:?}");
    assert!(lines.len() > 3, "each retry is told at debug level: {lines:?}");
    assert!(!format!("{lines:?} {error} {error:?}").contains("hunter2"), "{lines:?} {error:?}");
}
