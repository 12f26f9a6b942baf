//! Chance with a seed, and how much work a run may make.

use libtest_mimic::Failed;

/// Repeats a run: the seed that the run printed.
const SEED: &str = "STATE_SEED";
/// Set by `cargo xtask itest --soak`: the whole work instead of the share that fits everyday runs.
const SOAK: &str = "STATE_SOAK";

/// `share`, or `whole` when the run is to be a long one.
pub(crate) fn effort(share: usize, whole: usize) -> usize {
    if std::env::var_os(SOAK).is_some() { whole } else { share }
}

/// Numbers that look random and depend on the seed alone (`SplitMix64`).
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The seed of the environment, or a new one, which is told on standard error.
    #[expect(clippy::print_stderr, reason = "without its seed a failure cannot be repeated")]
    pub(crate) fn new(test: &str) -> Result<Self, Failed> {
        let seed = if let Ok(seed) = std::env::var(SEED) {
            seed.parse()?
        } else {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
            u64::from_le_bytes(bytes)
        };
        eprintln!("{test}: {SEED}={seed}");
        Ok(Self(seed))
    }

    /// Another chance that goes its own way, for a task of its own.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// A number below `end`, which is at least 1.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// One of `choices`.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        let place = usize::try_from(self.below(choices.len() as u64)).ok()?;
        choices.get(place).copied()
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}
