//! The conformance suite on the Redis driver, over real servers.

use std::sync::Arc;

use libtest_mimic::Trial;
use state_conformance::{Fixture, Suite};
use state_core::StateBackend;
use state_redis::{NamespaceOptions, RedisStore, WatchHistory};

use crate::redis_stage::TEST_PATIENCE;
use crate::servers::Running;

/// One test per clause of the contract, on servers that run already. Each clause has a namespace of
/// its own and connections of its own, so clauses run side by side on the same servers.
pub fn trials(servers: &Running) -> Vec<Trial> {
    suite(servers, "", NamespaceOptions::new())
}

/// The same for namespaces with an ordered index and a change log.
pub fn trials_with_index_and_log(servers: &Running) -> Vec<Trial> {
    let log = WatchHistory::Log { events_max: 10_000 };
    suite(servers, " index+log", NamespaceOptions::new().with_ordered_index(true).with_watch(log))
}

fn suite(servers: &Running, layout: &str, options: NamespaceOptions) -> Vec<Trial> {
    let url: Arc<str> = servers.url().into();
    let suite = Suite::new(format!("redis {}{layout}", servers.setup()), move || {
        let (url, options) = (Arc::clone(&url), options.clone());
        async move {
            let store = RedisStore::connect(&url).await?;
            let open = move |namespace| {
                let (store, options) = (store.clone(), options.clone());
                async move {
                    let backend = store.open_with(namespace, options).await?;
                    Ok(Arc::new(backend) as Arc<dyn StateBackend>)
                }
            };
            Ok(Fixture::new(open))
        }
    });
    suite.with_deadline(TEST_PATIENCE).with_model_of_environment().trials()
}
