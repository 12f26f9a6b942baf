//! Which connection a request goes over.

use libtest_mimic::Failed;
use state_core::{GetOptions, Key, StateBackend, StateBackendExt};

use crate::redis_stage::{Stage, open};

/// The connections of the store with this name whose last command is this one, by the numbers that the server gave them.
fn last_sent(stage: &Stage, name: &str, command: &str) -> Result<Vec<String>, Failed> {
    let list = stage.admin(&["CLIENT", "LIST"])?.text();
    let ours = list.lines().filter(|line| line.contains(&format!(" name={name} ")));
    let of_command = ours.filter(|line| line.contains(&format!(" cmd={command} ")));
    let ids = of_command.filter_map(|line| line.strip_prefix("id=")?.split(' ').next());
    Ok(ids.map(str::to_owned).collect())
}

pub(super) fn large_values(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let named = |name: &str| {
            let mut config = stage.config()?;
            name.clone_into(&mut config.client_name);
            Ok::<_, Failed>(config)
        };
        let large = vec![7; stage.config()?.bulk_bytes_min];
        let store = open(named("writer")?).await?;
        let last = |command: &str| last_sent(stage, "writer", command);
        store.put("large", large.clone()).await?;
        let bulk = last("set")?;
        assert_eq!(bulk.len(), 1, "{bulk:?}");
        store.get("small").await?;
        let point = last("get")?;
        assert!(point.len() == 1 && point != bulk, "{point:?}, {bulk:?}");
        // Who wrote a large value knows it, alone and among others.
        store.get("large").await?;
        assert_eq!(last("get")?.len(), 2);
        store.put("small", "1").await?;
        assert_eq!((last("get")?, last("set")?), (bulk.clone(), point.clone()));
        store.get_many(&["large", "small"].map(Key::from), GetOptions::new()).await?;
        assert_eq!(last("mget")?, bulk);
        // Once it is small it is asked for where small ones are.
        store.put("large", "1").await?;
        store.get("large").await?;
        assert_eq!(last("get")?, point);

        // Another store learns it from the first answer.
        store.put("large", large).await?;
        let reader = open(named("reader")?).await?;
        for connections in [1, 2] {
            reader.get("large").await?;
            assert_eq!(last_sent(stage, "reader", "get")?.len(), connections);
        }
        Ok(())
    })
}
