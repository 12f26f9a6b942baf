//! How many random sequences the clauses of the family `model` draw, and from which seed.

/// The variables that `cargo xtask itest --seed S --soak` sets.
const SEED: &str = "STATE_SEED";
const SOAK: &str = "STATE_SOAK";

/// How much more a long run draws.
const SOAK_TIMES: u32 = 20;

/// Random sequences, the same in every run with the same seed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ModelRuns {
    pub(crate) seed: u64,
    /// Per clause.
    pub(crate) sequences: u32,
}

impl ModelRuns {
    pub(crate) const DEFAULT: Self = Self { seed: 0, sequences: 24 };

    /// The default, as far as the environment does not say otherwise.
    ///
    /// # Errors
    /// The seed is not a number.
    pub(crate) fn of_environment() -> Result<Self, String> {
        let soak = std::env::var_os(SOAK).is_some();
        Self::told(std::env::var(SEED).ok().as_deref(), soak)
    }

    fn told(seed: Option<&str>, soak: bool) -> Result<Self, String> {
        let Self { seed: usual, sequences } = Self::DEFAULT;
        let seed = match seed {
            Some(seed) => seed.parse().map_err(|_| format!("{SEED} is not a number"))?,
            None => usual,
        };
        Ok(Self { seed, sequences: if soak { sequences * SOAK_TIMES } else { sequences } })
    }

    /// How many times longer than usual they take.
    pub(crate) fn times(self) -> u32 {
        self.sequences.div_ceil(Self::DEFAULT.sequences).max(1)
    }

    /// The seed in the shape that the generator takes.
    pub(crate) fn seed_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (place, byte) in bytes.iter_mut().zip(self.seed.to_le_bytes()) {
            *place = byte;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_may_name_a_seed_and_ask_for_a_long_run() {
        assert_eq!(ModelRuns::told(None, false), Ok(ModelRuns::DEFAULT));
        let told = ModelRuns::told(Some("7"), true).unwrap();
        assert_eq!((told.seed, told.sequences, told.times()), (7, 480, 20));
        assert!(ModelRuns::told(Some("seven"), false).is_err());
        assert_ne!(told.seed_bytes(), ModelRuns::DEFAULT.seed_bytes());
    }
}
