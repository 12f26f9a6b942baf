//! The control of the tests above: where they would be blind, this loses.

use libtest_mimic::Failed;
use state_core::StateBackendExt;

use super::load::missing;
use crate::redis_stage::{Stage, open, until_so, works_again};

/// More than all buffers on the way to a replica hold.
const FILLERS: usize = 48;
const FILLER_BYTES: usize = 1 << 20;

/// Writes that are acknowledged by their primary alone, while the replicas are frozen, are gone when a replica takes
/// over. The same look that finds nothing lost elsewhere finds them.
pub(super) fn loses(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage.patient()?).await?;
        store.put("early", "kept").await?;
        let primary = *stage.servers.primaries().first().ok_or("no primary")?;
        let replicas = stage.servers.replicas();
        for replica in &replicas {
            until_so("the replica has what was written early", || {
                let info = stage.servers.admin(*replica, &["DBSIZE"]);
                info.is_ok_and(|size| size == crate::servers::Reply::Integer(2))
            })
            .await?;
            stage.servers.freeze(*replica)?;
        }
        let filler = vec![b'f'; FILLER_BYTES];
        for number in 0..FILLERS {
            store.put(format!("filler:{}", number % 4), filler.clone()).await?;
        }
        let late: Vec<String> = (0..10).map(|number| format!("late:{number}")).collect();
        store.batch_put(late.iter().map(|key| (key.clone(), "lost"))).await?;
        assert!(missing(&store, &late).await?.is_empty(), "what was just written");
        stage.servers.kill(primary)?;
        for replica in &replicas {
            stage.servers.thaw(*replica)?;
        }
        let heir = *replicas.first().ok_or("no replica")?;
        stage.servers.admin(heir, &["REPLICAOF", "NO", "ONE"])?.ok()?;
        let address = stage.servers.node(heir)?.address();
        let mut config = stage.patient()?;
        config.topology =
            state_redis::RedisConfig::from_url(&format!("redis://{address}"))?.topology;
        let heir = open(config).await?;
        assert_eq!(missing(&heir, &["early".to_owned()]).await?, Vec::<String>::new());
        assert_eq!(missing(&heir, &late).await?, late, "nothing was lost: this control is blind");
        works_again(&heir).await
    })
}
