//! Another server becomes the primary while the load goes on.

use libtest_mimic::Failed;
use state_core::Acks;
use state_redis::RedisBackend;

use super::load::Load;
use crate::redis_stage::{Stage, open, until_so, works_again};
use crate::servers::Setup;

/// Writes of each writer before and after.
const ENOUGH: u64 = 30;

/// As many replicas as a primary has: whichever takes over has acknowledged the write. One would not do where there are
/// two, because it can follow the old primary while the other one takes over.
fn acks(stage: &Stage) -> Acks {
    Acks::Replicas(if stage.servers.setup() == Setup::Cluster { 1 } else { 2 })
}

pub(super) fn orderly(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage.config()?).await?;
        let mut load = Load::begin(&store, acks(stage));
        load.goes_on(ENOUGH).await?;
        stage.fail_over().await?;
        stage.servers.wait_until_settled()?;
        finish(&store, &mut load).await
    })
}

pub(super) fn killed(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage.config()?).await?;
        let mut load = Load::begin(&store, acks(stage));
        load.goes_on(ENOUGH).await?;
        let before = stage.servers.primaries();
        let killed = *before.first().ok_or("no primary")?;
        stage.servers.kill(killed)?;
        until_so("a replica has taken over", || stage.servers.primaries().len() == before.len())
            .await?;
        stage.servers.restart(killed)?;
        stage.servers.wait_until_settled()?;
        assert!(!stage.servers.primaries().contains(&killed), "nobody has taken over");
        finish(&store, &mut load).await
    })
}

async fn finish(store: &RedisBackend, load: &mut Load) -> Result<(), Failed> {
    load.goes_on(ENOUGH).await?;
    let told = load.end().await?;
    let lost = load.lost(store).await?;
    assert!(lost.is_empty(), "acknowledged by replicas and lost: {lost:?}; told: {told:?}");
    works_again(store).await
}
