//! A primary that is cut off from everybody but one of its clients, while a replica takes over.

use libtest_mimic::Failed;
use state_core::{Acks, ErrorKind, Key, Outcome, PutOptions, StateBackend, StateBackendExt};
use state_redis::{RedisBackend, RedisConfig};

use super::load::missing;
use crate::proxy::Fault;
use crate::redis_stage::{Stage, fails, open, until, until_so, works_again};

/// Writes of each kind, on either side.
const WRITES: usize = 20;

/// What the isolated side writes is lost with it. Who asks for the acknowledgement of a replica is told that there is
/// none; who does not is the control: such writes are acknowledged, and gone.
pub(super) fn isolated(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let old = *stage.servers.primaries().first().ok_or("no primary")?;
        // Past the proxy, through which the replicas, the sentinels and everybody else reach it.
        let address = stage.servers.node(old)?.direct_address();
        let mut config = stage.patient()?;
        config.topology = RedisConfig::from_url(&format!("redis://{address}"))?.topology;
        config.acks_timeout_ms = 200;
        let isolated = open(config).await?;
        let outside = open(stage.patient()?).await?;
        let early = names("early");
        for key in &early {
            until("both replicas acknowledge", || acknowledged(&isolated, key, 2)).await?;
        }
        stage.servers.node(old)?.proxy().ok_or("no proxy")?.set(Fault::BlackHole);
        let (told, plain) = (names("told"), names("plain"));
        write_alone(&isolated, &told, &plain, 0..WRITES / 2).await?;
        until_so("a replica has taken over", || {
            stage.servers.primaries().iter().any(|place| *place != old)
        })
        .await?;
        // The old primary knows nothing of it.
        write_alone(&isolated, &told, &plain, WRITES / 2..WRITES).await?;
        let late = names("late");
        for key in &late {
            until("a replica of the new primary acknowledges", || acknowledged(&outside, key, 1))
                .await?;
        }
        stage.set(Fault::Pass);
        stage.servers.wait_until_settled()?;
        assert!(!stage.servers.primaries().contains(&old), "the old primary has come back");
        assert_eq!(missing(&outside, &early).await?, Vec::<String>::new(), "acknowledged before");
        assert_eq!(missing(&outside, &late).await?, Vec::<String>::new(), "acknowledged outside");
        assert_eq!(
            missing(&outside, &plain).await?,
            plain,
            "nothing was lost: this control is blind"
        );
        assert_eq!(missing(&outside, &told).await?, told, "what was told");
        fails(isolated.put("k", "1").await, ErrorKind::Unavailable, Outcome::NotApplied)?;
        works_again(&outside).await
    })
}

fn names(kind: &str) -> Vec<String> {
    (0..WRITES).map(|number| format!("{kind}:{number}")).collect()
}

async fn acknowledged(store: &RedisBackend, key: &str, replicas: u32) -> Option<()> {
    let options = PutOptions::new().with_acks(Acks::Replicas(replicas));
    store.put_opts(&Key::from(key.to_owned()), "1".into(), options).await.ok().map(drop)
}

/// Some of the writes of both kinds: the one falls short, the other is acknowledged.
async fn write_alone(
    store: &RedisBackend,
    told: &[String],
    plain: &[String],
    some: std::ops::Range<usize>,
) -> Result<(), Failed> {
    for (told, plain) in told.iter().zip(plain).skip(some.start).take(some.len()) {
        let options = PutOptions::new().with_acks(Acks::Replicas(1));
        let short = store.put_opts(&Key::from(told.clone()), "1".into(), options).await;
        fails(short, ErrorKind::Unacknowledged, Outcome::Applied)?;
        store.put(plain.clone(), "1").await?;
    }
    Ok(())
}
