//! What replicas say: that they are none, that they are written to, and that they have lost their primary.

use std::time::Duration;

use libtest_mimic::Failed;
use state_core::{Consistency, ErrorKind, GetOptions, Key, Outcome, StateBackend, StateBackendExt};
use state_redis::{RedisBackend, RedisConfig, RedisStore};

use crate::redis_stage::{Stage, fails, open, until_so, works_again};
use crate::servers::Reply;

const REFUSED: (ErrorKind, Outcome) = (ErrorKind::Unavailable, Outcome::NotApplied);
/// A user that may not ask a server for its role.
const NO_ROLE: &str = "norole";

/// The settings of a store on one server of the setup alone.
fn alone(stage: &Stage, place: usize, login: &str) -> Result<RedisConfig, Failed> {
    let address = stage.servers.node(place)?.address();
    let mut config = RedisConfig::from_url(&format!("redis://{login}{address}"))?;
    config.retry_budget_min_per_s = 100_000;
    Ok(config)
}

/// The first primary, the first replica.
fn places(stage: &Stage) -> Result<(usize, usize), Failed> {
    let replica = *stage.servers.replicas().first().ok_or("no replica")?;
    let primary = *stage.servers.primaries().first().ok_or("no primary")?;
    Ok((primary, replica))
}

/// Returns when the replica has the entry, and the record of the layout.
async fn has_copied(stage: &Stage, replica: usize) -> Result<(), Failed> {
    until_so("the replica has the value", || {
        let size = stage.servers.admin(replica, &["DBSIZE"]);
        size.is_ok_and(|size| size == Reply::Integer(2))
    })
    .await
}

async fn is_no_primary(store: &RedisBackend) -> Result<(), Failed> {
    for error in [store.get("k").await.err(), store.put("k", "3").await.err()] {
        let error = error.ok_or("a replica was taken for the primary")?;
        assert_eq!((error.kind(), error.outcome()), REFUSED, "{error}");
        assert!(error.to_string().contains("not the primary"), "{error}");
    }
    Ok(())
}

/// A URL of one server that leads to a replica is refused; one that has led to the primary notices when that is demoted.
pub(super) fn demoted(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage.config()?).await?;
        store.put("k", "1").await?;
        let (primary, replica) = places(stage)?;
        has_copied(stage, replica).await?;
        let refused = RedisStore::connect_with(alone(stage, replica, "")?).await;
        let error = fails(refused, REFUSED.0, REFUSED.1)?;
        assert!(error.to_string().contains("its address has to be given"), "{error}");
        // Where the role is not told, the server is taken for the primary.
        let rules = ["ACL", "SETUSER", NO_ROLE, "on", "nopass", "~*", "&*", "+@all", "-role"];
        stage.servers.admin(replica, &rules)?.ok()?;
        let login = format!("{NO_ROLE}:any@");
        let trusting = RedisStore::connect_with(alone(stage, replica, &login)?).await?;
        assert!(trusting.server_info().await?.unreachable.is_empty());
        // Promoted by hand it is a primary, and then it is one no more.
        stage.servers.admin(replica, &["REPLICAOF", "NO", "ONE"])?.ok()?;
        let promoted = open(alone(stage, replica, "")?).await?;
        promoted.put("k", "2").await?;
        let old = stage.servers.node(primary)?.direct_address();
        let (host, port) = (old.ip().to_string(), old.port().to_string());
        stage.servers.admin(replica, &["REPLICAOF", &host, &port])?.ok()?;
        let error = fails(promoted.put("k", "3").await, REFUSED.0, REFUSED.1)?;
        assert!(error.to_string().contains("not the primary"), "{error}");
        is_no_primary(&promoted).await?;
        stage.servers.admin(replica, &["REPLICAOF", "NO", "ONE"])?.ok()?;
        works_again(&promoted).await
    })
}

/// A replica refuses reads once its primary is gone, and so nothing that is told is stale.
pub(super) fn refuse(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage.config()?).await?;
        store.put("k", "1").await?;
        let (primary, replica) = places(stage)?;
        has_copied(stage, replica).await?;
        stage.servers.kill(primary)?;
        until_so("the replica has noticed", || {
            stage.refuses_at(replica, &["GET", "k"], "MASTERDOWN")
        })
        .await?;
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
