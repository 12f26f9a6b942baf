//! Waiting for something that only asking tells: asked again and again, until it is so or time is up.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use state_core::{Clock, SystemClock};

use super::error::{Result, ServersError};

/// How long anything may take on a slow and busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

const PAUSE_FIRST: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// Asks until the answer is `Ok`. An answer `Err(Some(_))` ends the wait, `Err(None)` continues it.
pub(crate) fn until<T>(
    what: &str,
    mut ask: impl FnMut() -> std::result::Result<T, NotYet>,
) -> Result<T> {
    let clock = SystemClock::new();
    let end = clock.monotonic() + PATIENCE;
    let mut pause = PAUSE_FIRST;
    loop {
        let last = match ask() {
            Ok(answer) => return Ok(answer),
            Err(NotYet::Never(error)) => return Err(error),
            Err(NotYet::Because(reason)) => reason,
        };
        if clock.monotonic() >= end {
            let seconds = PATIENCE.as_secs();
            return Err(ServersError::Late(format!("{what}: not within {seconds} s: {last}")));
        }
        rest(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Why the answer is not there.
#[derive(Debug)]
pub(crate) enum NotYet {
    /// Ask again; this is what was wrong.
    Because(String),
    /// Asking again is of no use.
    Never(ServersError),
}

impl NotYet {
    pub(crate) fn because(reason: impl Into<String>) -> Self {
        Self::Because(reason.into())
    }
}

impl From<ServersError> for NotYet {
    fn from(error: ServersError) -> Self {
        Self::Because(error.to_string())
    }
}

/// Lets other programs run between two questions.
fn rest(duration: Duration) {
    let lock = Mutex::new(());
    Condvar::new().wait_for(&mut lock.lock(), duration);
}
