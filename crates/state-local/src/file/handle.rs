//! What keeps a store open: when it goes, the store is closed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use state_core::{Error, ErrorKind, Namespace, Outcome, Result};

use super::answer::answer;
use super::namespace::Namespaced;
use super::settings::Settings;
use super::shared::Shared;
use super::space::FileSpace;
use super::writer::Writer;
use crate::sweep::Sweeper;

/// What keeps a store open.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) shared: Arc<Shared>,
    pub(super) settings: Settings,
    store_id: [u8; 16],
    spaces: Mutex<BTreeMap<Namespace, Arc<FileSpace>>>,
    sweeper: Sweeper<FileSpace>,
    /// Dropped last, and waits for the thread.
    _thread: WriterThread,
}

impl Handle {
    pub(super) async fn open(shared: Shared, settings: Settings) -> Result<Arc<Self>> {
        let shared = Arc::new(shared);
        let (opened, opening) = answer();
        let writer = Writer::new(Arc::clone(&shared), settings.clone());
        let builder = std::thread::Builder::new().name("state-writer".to_owned());
        let thread = builder.spawn(move || writer.run(opened)).map_err(|error| {
            let message = "no thread can be started for the store";
            let error = Error::new(ErrorKind::Unavailable, message).with_source(error);
            error.with_outcome(Outcome::NotApplied)
        })?;
        // Closes the store if this is not awaited to the end.
        let thread = WriterThread { shared: Arc::clone(&shared), thread: Some(thread) };
        let store_id = opening.await.unwrap_or_else(|| Err(shared.place.closed()))?;
        let spaces = Mutex::default();
        let sweeper = Sweeper::new(Arc::clone(&settings.clock));
        Ok(Arc::new(Self { shared, settings, store_id, spaces, sweeper, _thread: thread }))
    }

    /// The space of a namespace, the same one for all openings of it.
    pub(super) fn space(self: &Arc<Self>, namespace: Namespace) -> Arc<FileSpace> {
        let mut spaces = self.spaces.lock();
        let space = spaces.entry(namespace.clone()).or_insert_with(|| {
            let events_max = u64::try_from(self.settings.change_log_events_max);
            let events_max = events_max.unwrap_or(u64::MAX);
            let namespaced =
                Arc::new(Namespaced::new(namespace.clone(), self.store_id, events_max));
            self.shared.namespaces.lock().insert(namespace, Arc::clone(&namespaced));
            let space = Arc::new(FileSpace::new(self, namespaced));
            self.sweeper.add(Arc::downgrade(&space));
            space
        });
        Arc::clone(space)
    }
}

/// The writer thread; closes the store and waits for it when dropped.
#[derive(Debug)]
struct WriterThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        self.shared.queue.close();
        let Some(thread) = self.thread.take() else { return };
        // An answer may wake a task that runs on the writer thread and drops the last handle.
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!(store = %self.shared.place, "the writer thread has panicked");
        }
    }
}
