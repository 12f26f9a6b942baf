//! Draws sequences, runs them, and shrinks the one that fails.

use std::cell::Cell;

use proptest::collection::vec;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use state_core::StateBackendExt;
use tokio::runtime::Handle;

use super::calls;
use super::step::Step;
use super::world::{Versions, World};
use crate::Context;
use crate::contents::contents;

/// Steps of the longest sequence.
const STEPS_MAX: usize = 30;
/// The most sequences tried to find a shorter one that fails too.
const SHORTER_MAX: u32 = 200;

/// Runs `run` over sequences of `steps`, each over an empty namespace, and panics with the
/// shortest that was found to fail.
///
/// The sequences are drawn on a thread of their own: what draws and shrinks them is not `Send`
/// and waits for each run.
pub(super) async fn check<F>(
    cx: Context,
    step: impl Strategy<Value = Step> + Send + 'static,
    run: F,
) where
    F: AsyncFn(&Context, &mut World, &[Step]) -> Result<(), String> + Send + 'static,
{
    let runtime = Handle::current();
    let runs = cx.model_runs();
    let checked = tokio::task::spawn_blocking(move || {
        let config = Config {
            cases: runs.sequences,
            max_shrink_iters: SHORTER_MAX,
            failure_persistence: None,
            ..Config::default()
        };
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &runs.seed_bytes());
        let mut runner = TestRunner::new_with_rng(config, random);
        let given_out = Cell::new(Versions::new());
        runner.run(&vec(step, 1..STEPS_MAX), |steps| {
            let mut world = World::new(cx.now(), given_out.take());
            let ran = runtime.block_on(async {
                cx.a.clear().await.map_err(|error| error.to_string())?;
                run(&cx, &mut world, &steps).await
            });
            given_out.set(world.into_given_out());
            ran.map_err(TestCaseError::fail)
        })
    });
    match checked.await.unwrap() {
        Ok(()) => {}
        Err(TestError::Fail(reason, steps)) => {
            let steps: Vec<String> = steps.iter().map(|step| format!("\n  {step:?}")).collect();
            let (seed, sequences) = (runs.seed, runs.sequences);
            let repeat = format!("one of the {sequences} that the seed {seed} gives");
            panic!("{reason}\n  in the sequence, {repeat}:{}", steps.concat());
        }
        Err(TestError::Abort(reason)) => panic!("no sequence can be drawn: {reason}"),
    }
}

/// Makes each step, on one instance after the other, and compares its answer.
pub(super) async fn take_all(
    cx: &Context,
    world: &mut World,
    steps: &[Step],
) -> Result<(), String> {
    for (number, step) in steps.iter().enumerate() {
        let store = if number % 2 == 0 { &cx.a } else { &cx.b };
        let compared = calls::make(cx, &**store, world, step).await;
        compared.map_err(|error| format!("step {}: {error}", number + 1))?;
    }
    Ok(())
}

/// Makes each step and compares everything that is there after it.
pub(super) async fn compare_after_each_step(
    cx: &Context,
    world: &mut World,
    steps: &[Step],
) -> Result<(), String> {
    for (number, step) in steps.iter().enumerate() {
        let (one, other) = if number % 2 == 0 { (&cx.a, &cx.b) } else { (&cx.b, &cx.a) };
        let compared = calls::make(cx, &**one, world, step).await;
        compared.map_err(|error| format!("step {}: {error}", number + 1))?;
        let found = contents(&**other).await;
        if found != *world.contents() {
            let expected = world.contents();
            let number = number + 1;
            return Err(format!("after step {number}: found {found:?}, expected {expected:?}"));
        }
    }
    Ok(())
}
