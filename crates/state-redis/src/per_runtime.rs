//! What a store keeps once for each runtime on which somebody uses it.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use state_core::Result;
use tokio::runtime::{Handle, Id};

use crate::errors::{Failure, Fault};

/// Something with tasks of its own on one runtime.
pub(crate) trait Local {
    /// Whether its tasks have ended, with their runtime or by an accident.
    fn has_ended(&self) -> bool;
}

/// One `T` for each runtime, as long as somebody holds it.
#[derive(Debug)]
pub(crate) struct PerRuntime<T>(Mutex<Vec<(Id, Weak<T>)>>);

impl<T> Default for PerRuntime<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Local> PerRuntime<T> {
    /// That of the runtime of now, which `start` makes where there is none that lives.
    ///
    /// # Errors
    /// `Closed` outside of a runtime.
    pub(crate) fn get(&self, start: impl FnOnce(&Handle) -> T) -> Result<Arc<T>> {
        let runtime =
            Handle::try_current().map_err(|_| Failure::from(Fault::Closed).into_error())?;
        let mut all = self.0.lock();
        all.retain(|(_, local)| local.upgrade().is_some_and(|local| !local.has_ended()));
        let mine = all.iter().find(|(id, _)| *id == runtime.id());
        if let Some(local) = mine.and_then(|(_, local)| local.upgrade()) {
            return Ok(local);
        }
        let local = Arc::new(start(&runtime));
        all.push((runtime.id(), Arc::downgrade(&local)));
        Ok(local)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use state_core::ErrorKind;

    use super::*;

    #[derive(Debug, Default)]
    struct Ending(AtomicBool);

    impl Local for Ending {
        fn has_ended(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn each_runtime_has_one_while_it_is_held_and_lives() {
        let all = PerRuntime::<Ending>::default();
        let get = || all.get(|_| Ending::default());
        assert_eq!(get().unwrap_err().kind(), ErrorKind::Closed, "outside of a runtime");
        let runtimes =
            [(); 2].map(|()| tokio::runtime::Builder::new_current_thread().build().unwrap());
        let held = runtimes[0].block_on(async { get().unwrap() });
        assert!(Arc::ptr_eq(&held, &runtimes[0].block_on(async { get().unwrap() })));
        let other = runtimes[1].block_on(async { get().unwrap() });
        assert!(!Arc::ptr_eq(&held, &other));
        held.0.store(true, Ordering::Relaxed);
        assert!(!Arc::ptr_eq(&held, &runtimes[0].block_on(async { get().unwrap() })));
        assert_eq!(all.0.lock().len(), 2, "the one that was not held is gone with the next look");
        drop(other);
        let _last = runtimes[0].block_on(async { get().unwrap() });
        assert_eq!(all.0.lock().len(), 1);
    }
}
