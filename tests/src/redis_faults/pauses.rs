//! A server that makes writes wait and answers reads: `CLIENT PAUSE … WRITE`.

use libtest_mimic::Failed;
use state_core::{StateBackend, StateBackendExt};

use super::stalls::blocked;
use crate::redis_stage::{Stage, open, shared, until_so, works_again};

/// Reads go on behind a write that waits, one after the other and many at once, and the write is made when it may be.
pub(super) fn reads_go_on(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage.patient()?).await?;
        let keys: Vec<String> = (0..20).map(|number| format!("key:{number}")).collect();
        store.batch_put(keys.iter().map(|key| (key.clone(), "1"))).await?;
        stage.admin_primaries(&["CLIENT", "PAUSE", "200000", "WRITE"])?;
        let writing = keys.iter().map(|key| {
            let (store, key) = (shared(&store), key.clone());
            tokio::spawn(async move { store.put(key, "2").await })
        });
        let writing: Vec<_> = writing.collect();
        until_so("a write is held back", || blocked(stage)).await?;
        for key in &keys {
            assert_eq!(store.get(key).await?.as_deref(), Some(b"1".as_slice()));
        }
        let read = store.batch_get(keys.clone()).await?;
        assert!(read.iter().all(|value| value.as_deref() == Some(b"1".as_slice())), "{read:?}");
        store.ping().await?;
        assert!(writing.iter().all(|write| !write.is_finished()), "a write has ended");
        stage.admin_primaries(&["CLIENT", "UNPAUSE"])?;
        for write in writing {
            write.await??;
        }
        assert_eq!(store.get("key:7").await?.as_deref(), Some(b"2".as_slice()));
        works_again(&store).await
    })
}
