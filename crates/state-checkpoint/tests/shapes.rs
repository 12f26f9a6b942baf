//! Histories of any shape: whatever forks, edits and orders there are, each version comes back.

#[cfg(test)]
mod histories {
    use std::sync::Arc;

    use proptest::prelude::*;
    use proptest::sample::Index;

    use state_checkpoint::Checkpoints;
    use state_core::checkpoint::{
        Checkpoint, CheckpointRef, Checkpointer, CheckpointerExt, Payload, PutCheckpoint,
    };
    use state_core::{Namespace, StateBackend, Timestamp};
    use state_local::MemoryStore;

    /// One put: which checkpoint it continues from, and what it does to each of two channels.
    #[derive(Clone, Debug)]
    struct Step {
        parent: Option<Index>,
        edits: Vec<(bool, Index, usize, Vec<u8>)>,
    }

    fn step() -> impl Strategy<Value = Step> {
        let text = prop::collection::vec(any::<u8>(), 0..200);
        let edit = (any::<bool>(), any::<Index>(), 0_usize..60, text);
        let parent = prop::option::weighted(0.95, any::<Index>());
        (parent, prop::collection::vec(edit, 0..4))
            .prop_map(|(parent, edits)| Step { parent, edits })
    }

    type State = [Vec<u8>; 2];

    fn edited(mut state: State, edits: &[(bool, Index, usize, Vec<u8>)]) -> State {
        for (channel, at, removed, text) in edits {
            let value = &mut state[usize::from(*channel)];
            let at = at.index(value.len() + 1);
            let end = (at + removed).min(value.len());
            value.splice(at..end, text.iter().copied());
        }
        state
    }

    async fn replay(steps: &[Step]) {
        let backend = MemoryStore::new().open(Namespace::default()).unwrap();
        let backend: Arc<dyn StateBackend> = Arc::new(backend);
        let open = || {
            let options = state_checkpoint::CheckpointOptions::new();
            Checkpoints::open_with(Arc::clone(&backend), options).unwrap()
        };
        let warm = open();
        let mut states: Vec<State> = Vec::new();
        for (n, step) in steps.iter().enumerate() {
            let parent = step.parent.as_ref().filter(|_| n > 0).map(|parent| parent.index(n));
            // Some continue from the one before, so that chains get long.
            let parent = parent.map(|parent| if n % 3 == 0 { parent } else { n - 1 });
            let begin = parent.map_or_else(State::default, |parent| states[parent].clone());
            let state = edited(begin, &step.edits);
            let mut put = PutCheckpoint::new(
                "t",
                Checkpoint::new(format!("{n:04}"), Timestamp::from_unix_ms(0)),
            )
            .with_parent(parent.map(|parent| format!("{parent:04}").into()));
            for (channel, value) in ["a", "b"].into_iter().zip(&state) {
                let version = i64::try_from(n).unwrap();
                put.checkpoint = put.checkpoint.with_channel(channel, version);
                put = put.with_value(channel, Payload::new("bytes", value.clone()));
            }
            // Every seventh is put by somebody who has nothing at hand.
            let by = if n % 7 == 6 { open() } else { warm.clone() };
            by.put_checkpoint(put).await.unwrap();
            states.push(state);
        }
        let cold = open();
        for (n, state) in states.iter().enumerate().rev() {
            let reference = CheckpointRef::new("t", format!("{n:04}"));
            for checkpoints in [&warm, &cold] {
                let tuple = checkpoints.at(&reference).await.unwrap().unwrap();
                for (channel, value) in ["a", "b"].into_iter().zip(state) {
                    assert_eq!(tuple.value(channel).unwrap().bytes(), value, "{channel} of {n}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]
        #[test]
        fn every_version_is_rebuilt(steps in prop::collection::vec(step(), 1..80)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(replay(&steps));
        }
    }
}
