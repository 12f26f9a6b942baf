//! How often the Redis driver asks for memory: a program of its own, because it counts every allocation.

use std::cell::Cell;
use std::process::ExitCode;
use std::sync::Arc;

use allocation_counter::measure;
use bytes::Bytes;
use libtest_mimic::{Arguments, Failed, Trial};
use state_core::{
    DeleteOptions, GetOptions, IncrementOptions, Key, Namespace, PutOptions, Result, StateBackend,
};
use state_redis::RedisStore;
use state_tests::servers::{Servers, Setup};
use tokio::runtime::{Builder, Runtime};

/// The most allocations of an operation that is a plain command, its answer included.
const COMMAND_MAX: u64 = 6;
/// The same for one that is a script, whose keys, arguments and answer are lists.
const SCRIPT_MAX: u64 = 17;
const ROUNDS: u64 = 500;

fn main() -> ExitCode {
    let trials = vec![Trial::test("budget::an_operation_makes_few_allocations", few)];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn few() -> std::result::Result<(), Failed> {
    let servers = Servers::start(Setup::Standalone)?;
    // One thread for everything: what the tasks of the driver do is counted too.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let store: Arc<dyn StateBackend> = runtime.block_on(async {
        let store = RedisStore::connect(servers.url()).await?;
        let backend = store.open(Namespace::new("allocations")?).await?;
        Result::<_>::Ok(Arc::new(backend) as Arc<dyn StateBackend>)
    })?;
    let key = Key::from("key");
    let value = Bytes::from_static(&[b'v'; 100]);
    let put = || store.put_opts(&key, value.clone(), PutOptions::new());
    let first = runtime.block_on(put())?;
    cheap(&runtime, COMMAND_MAX, "put", put)?;
    cheap(&runtime, COMMAND_MAX, "get", || store.get_opts(&key, GetOptions::new()))?;
    let expiring = || PutOptions::new().with_expiry(std::time::Duration::from_secs(60));
    cheap(&runtime, COMMAND_MAX, "put with a lifetime", || {
        store.put_opts(&key, value.clone(), expiring())
    })?;
    let seen = Cell::new(runtime.block_on(put())?.version);
    cheap(&runtime, SCRIPT_MAX, "compare-and-set", || async {
        let options = PutOptions::new().with_precondition(seen.get());
        let written = store.put_opts(&key, value.clone(), options).await?;
        seen.set(written.version);
        Ok(())
    })?;
    let seen = || PutOptions::new().with_precondition(first.version);
    cheap(&runtime, SCRIPT_MAX, "compare-and-set that is refused", || async {
        Ok(store.put_opts(&key, value.clone(), seen()).await.is_err())
    })?;
    cheap(&runtime, COMMAND_MAX, "delete", || store.delete_opts(&key, DeleteOptions::new()))?;
    cheap(&runtime, SCRIPT_MAX, "increment", || {
        store.increment_opts(&key, 1, IncrementOptions::new())
    })?;
    Ok(())
}

/// Makes the call often, and checks how many allocations one of them made on average.
fn cheap<T, F: Future<Output = Result<T>>>(
    runtime: &Runtime,
    most: u64,
    what: &str,
    mut call: impl FnMut() -> F,
) -> std::result::Result<(), Failed> {
    runtime.block_on(call())?;
    let mut outcome: Result<()> = Ok(());
    let counted = measure(|| {
        outcome = runtime.block_on(async {
            for _ in 0..ROUNDS {
                call().await?;
            }
            Ok(())
        });
    });
    outcome?;
    // Buffers that grow now and then are not what one operation costs.
    let each = counted.count_total / ROUNDS;
    assert!(each > 0, "nothing was counted");
    assert!(each <= most, "{what}: {each} allocations, not at most {most}");
    Ok(())
}
