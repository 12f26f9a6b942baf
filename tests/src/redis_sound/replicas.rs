//! What replicas say that have lost their primary, and that are written to.

use std::time::Duration;

use libtest_mimic::Failed;
use state_core::{Consistency, ErrorKind, GetOptions, Key, Outcome, StateBackend, StateBackendExt};
use state_redis::RedisConfig;

use crate::redis_stage::{Stage, fails, open, until_so, works_again};

const REFUSED: (ErrorKind, Outcome) = (ErrorKind::Unavailable, Outcome::NotApplied);

/// A replica refuses writes, and reads as well once its primary is gone; nothing that is told is stale.
pub(super) fn refuse(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage.config()?).await?;
        store.put("k", "1").await?;
        let replica = *stage.servers.replicas().first().ok_or("no replica")?;
        let primary = *stage.servers.primaries().first().ok_or("no primary")?;
        let address = stage.servers.node(replica)?.address();
        let mut config = RedisConfig::from_url(&format!("redis://{address}"))?;
        config.retries = 1;
        until_so("the replica has the value", || {
            // The entry, and the record of the layout.
            let size = stage.servers.admin(replica, &["DBSIZE"]);
            size.is_ok_and(|size| size == crate::servers::Reply::Integer(2))
        })
        .await?;
        let direct = open(config).await?;
        assert_eq!(direct.get("k").await?.as_deref(), Some(b"1".as_slice()));
        let error = fails(direct.put("k", "2").await, REFUSED.0, REFUSED.1)?;
        assert!(error.to_string().contains("READONLY"), "{error}");
        let error = fails(direct.increment("n", 1).await, REFUSED.0, REFUSED.1)?;
        assert!(error.to_string().contains("READONLY"), "{error}");
        stage.servers.kill(primary)?;
        until_so("the replica has noticed", || {
            stage.refuses_at(replica, &["GET", "k"], "MASTERDOWN")
        })
        .await?;
        let error = fails(direct.get("k").await, REFUSED.0, REFUSED.1)?;
        assert!(error.to_string().contains("MASTERDOWN"), "{error}");
        // Reads that may be old ask a replica, and the primary when that refuses: which is gone, too.
        let options = GetOptions::new().with_consistency(Consistency::Eventual);
        let answer = store.get_opts(&Key::from("k"), options.clone()).await;
        let error = answer.err().ok_or("something was told that may be stale")?;
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        stage.servers.restart(primary)?;
        works_again(&store).await?;
        until_so("the replicas follow again", || {
            !stage.refuses_at(replica, &["GET", "k"], "MASTERDOWN")
        })
        .await?;
        let found = store.get_opts(&Key::from("k"), options).await?;
        assert!(found.is_some(), "what was written before");
        assert!(store.get_entry("k").await?.is_some_and(|entry| entry.value == "1"));
        let short = store.put_with_ttl("short", "1", Duration::from_secs(60)).await;
        short.map(drop).map_err(Failed::from)
    })
}
