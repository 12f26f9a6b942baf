//! The conformance suite on the Redis driver, over real servers.

use std::sync::Arc;

use libtest_mimic::Trial;
use state_conformance::{Fixture, Suite};
use state_core::StateBackend;
use state_redis::RedisStore;

use crate::servers::Running;

/// One test per clause of the contract, on servers that run already. Each clause has a namespace of
/// its own and connections of its own, so clauses run side by side on the same servers.
pub fn trials(servers: &Running) -> Vec<Trial> {
    let url: Arc<str> = servers.url().into();
    let suite = Suite::new(format!("redis {}", servers.setup()), move || {
        let url = Arc::clone(&url);
        async move {
            let store = RedisStore::connect(&url).await?;
            let open = move |namespace| {
                let store = store.clone();
                async move { Ok(Arc::new(store.open(namespace).await?) as Arc<dyn StateBackend>) }
            };
            Ok(Fixture::new(open))
        }
    });
    suite.trials()
}
