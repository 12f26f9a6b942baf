//! Leases that are asked for, renewed and released while connections are reset.

use std::time::Duration;

use libtest_mimic::Failed;
use state_core::{AcquireOptions, Acquired, Key, LeaseGrant, OwnerId, StateBackend};
use state_redis::RedisBackend;

use super::{RESETS, RESETS_SOAK, Saboteur, soon};
use crate::redis_stage::{Stage, effort, open, works_again};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// Each step of a lease is cut: it is granted once, renewed under its token, released for good, and then free.
pub(in crate::redis_faults) fn leases(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(soon(stage)?).await?;
        works_again(&store).await?;
        let leases = store.as_lease().ok_or("no leases")?;
        // The server knows all scripts, so that what is cut has been applied.
        let (name, owner) = (Key::from("first"), OwnerId::random());
        let first = granted(&store, &name, owner).await?;
        leases.renew_lease(&name, first.token, AcquireOptions::new(owner, MINUTE)).await?;
        assert!(leases.release_lease(&name, owner, first.token).await?, "it was held");
        let mut saboteur = Saboteur::new(stage, "leases")?;
        for number in 0..effort(RESETS, RESETS_SOAK) {
            life(&store, &mut saboteur, &Key::from(format!("lease:{number}"))).await?;
        }
        works_again(&store).await
    })
}

async fn life(store: &RedisBackend, saboteur: &mut Saboteur<'_>, name: &Key) -> Result<(), Failed> {
    let leases = store.as_lease().ok_or("no leases")?;
    let (mine, other) = (OwnerId::random(), OwnerId::random());
    saboteur.arm(store).await?;
    let grant = granted(store, name, mine).await?;
    saboteur.made().await?;
    let state = leases.read_lease(name).await?.ok_or("the lease is lost")?;
    assert_eq!((state.owner, state.token), (mine, grant.token), "granted twice");
    let asked = leases.acquire_lease(name, AcquireOptions::new(other, MINUTE)).await?;
    assert!(matches!(asked, Acquired::Held { .. }), "two hold it");

    saboteur.arm(store).await?;
    let longer = AcquireOptions::new(mine, HOUR);
    let renewed = leases.renew_lease(name, grant.token, longer).await?;
    saboteur.made().await?;
    let state = leases.read_lease(name).await?.ok_or("the lease is lost")?;
    assert_eq!((renewed.token, state.token), (grant.token, grant.token), "renewed as another");
    assert!(state.remaining > MINUTE, "it was not renewed: {:?}", state.remaining);

    saboteur.arm(store).await?;
    assert!(leases.release_lease(name, mine, grant.token).await?, "it was held");
    saboteur.made().await?;
    // Another call is no second try.
    assert!(!leases.release_lease(name, mine, grant.token).await?, "it was released before");
    assert_eq!(leases.read_lease(name).await?, None, "it was not released");
    let next = granted(store, name, other).await?;
    assert!(next.token > grant.token, "a token came back");
    Ok(())
}

async fn granted(store: &RedisBackend, name: &Key, owner: OwnerId) -> Result<LeaseGrant, Failed> {
    let leases = store.as_lease().ok_or("no leases")?;
    match leases.acquire_lease(name, AcquireOptions::new(owner, MINUTE)).await? {
        Acquired::Granted(grant) => Ok(grant),
        other => Err(format!("not granted: {other:?}").into()),
    }
}
