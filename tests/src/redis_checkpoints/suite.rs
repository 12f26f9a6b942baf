//! The clauses about threads of checkpoints.

use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use state_checkpoint::CheckpointOptions;
use state_conformance::{Fixture, Status, Suite};
use state_core::checkpoint::Checkpointer;
use state_core::{BoxFuture, Error, ErrorKind, Namespace, Result};
use state_redis::{RedisConfig, RedisStore};

use crate::proxy::Fault;
use crate::redis_stage::TEST_PATIENCE;
use crate::servers::{Node, Reply, Running, Servers, Setup};

/// The clauses that cut the links to the servers, and those that restart them.
const CUTTING: &str = "ckpt.store.unreachable.";
const RESTARTING: &str = "ckpt.store.durable";

type Checkpoints = Fixture<dyn Checkpointer>;

/// One test per clause on servers that run already, and one for the clauses that cut all links.
pub(super) fn trials(servers: &Arc<Running>) -> Vec<Trial> {
    let setup = servers.setup();
    let given = !servers.is_controlled();
    let shared = Arc::clone(servers);
    let suite = Suite::new(format!("redis {setup} checkpoints"), move || {
        let servers = Arc::clone(&shared);
        async move { fixture(&servers, RedisConfig::from_url(servers.url())?).await }
    });
    let mut trials = suite.with_deadline(TEST_PATIENCE).trials();
    let cut = move || unreachable(setup);
    let name = "checkpoints::unreachable_servers_are_errors";
    trials.push(Trial::test(name, cut).with_ignored_flag(given));
    if setup.is_one_server() {
        let restart = move || durable(setup);
        let name = "checkpoints::a_killed_server_has_its_threads_again";
        trials.push(Trial::test(name, restart).with_ignored_flag(given));
    }
    trials
}

async fn fixture(servers: &Arc<Running>, config: RedisConfig) -> Result<Checkpoints> {
    let store = RedisStore::connect_with(config).await?;
    let open = move |namespace| {
        let opened = store.checkpoints(namespace, CheckpointOptions::new());
        async move { Ok(Arc::new(opened?) as Arc<dyn Checkpointer>) }
    };
    let servers = Arc::clone(servers);
    let count = move |namespace| {
        let counted = keys(&servers, &namespace).map(|keys| keys.len() as u64);
        async move { counted }
    };
    Ok(Fixture::new(open).with_count(count))
}

/// The keys of a namespace on all primaries.
fn keys(servers: &Running, namespace: &Namespace) -> Result<Vec<String>> {
    let failed = |error: String| Error::new(ErrorKind::Unavailable, error);
    let pattern = format!("state:{}:*", String::from_utf8_lossy(namespace.as_bytes()));
    let mut keys = Vec::new();
    for place in servers.primaries() {
        let answer = servers.admin(place, &["KEYS", &pattern]).and_then(Reply::ok);
        let answer = answer.map_err(|error| failed(error.to_string()))?;
        keys.extend(answer.items().iter().map(Reply::text));
    }
    Ok(keys)
}

/// The clauses that need servers which nobody else uses.
fn unreachable(setup: Setup) -> std::result::Result<(), Failed> {
    let servers = Arc::new(Servers::new(setup).with_proxies().run()?);
    let suite = Suite::new(format!("redis {setup} checkpoints, cut"), move || {
        let servers = Arc::clone(&servers);
        async move {
            let mut config = RedisConfig::from_url(servers.url())?;
            // Some 30 calls must fail in the time of a clause.
            config.retries = 1;
            config.call_timeout_ms = 1_000;
            let fixture = fixture(&servers, config).await?;
            Ok(fixture.with_reach(move |on| {
                let fault = if on { Fault::Pass } else { Fault::Refuse };
                servers.nodes().iter().filter_map(Node::proxy).for_each(|proxy| proxy.set(fault));
                async { Ok(()) }
            }))
        }
    });
    check(&suite, CUTTING, 2)
}

/// The clauses that need a server which is killed and started again.
fn durable(setup: Setup) -> std::result::Result<(), Failed> {
    let servers = Arc::new(Servers::start(setup)?);
    let suite = Suite::new(format!("redis {setup} checkpoints, restarted"), move || {
        restartable(Arc::clone(&servers))
    });
    check(&suite.with_deadline(TEST_PATIENCE), RESTARTING, 3)
}

fn restartable(servers: Arc<Running>) -> BoxFuture<'static, Result<Checkpoints>> {
    Box::pin(async move {
        let fixture = fixture(&servers, RedisConfig::from_url(servers.url())?).await?;
        Ok(fixture.with_restart(move || {
            let servers = Arc::clone(&servers);
            async move {
                let restarted = servers.kill(0).and_then(|()| servers.restart(0));
                restarted.map_err(|error| Error::new(ErrorKind::Unavailable, error.to_string()))?;
                restartable(servers).await
            }
        }))
    })
}

/// Runs the clauses whose ids begin like this, of which there must be so many.
fn check(suite: &Suite, ids: &str, wanted: usize) -> std::result::Result<(), Failed> {
    let mut checked = 0;
    for clause in state_conformance::all().filter(|clause| clause.id.starts_with(ids)) {
        let verdict = suite.check(clause);
        if verdict.status != Status::Passed {
            return Err(format!("{}: {:?}", clause.id, verdict.status).into());
        }
        checked += 1;
    }
    assert_eq!(checked, wanted, "clauses that begin with {ids}");
    Ok(())
}
