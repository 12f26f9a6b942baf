//! Keeps what the driver logs, for tests that are alone in their process: the subscriber is that of all of it.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

/// What was logged.
#[derive(Clone, Debug, Default)]
pub struct Log {
    events: Arc<Mutex<Vec<(Level, String)>>>,
    spans: Arc<Mutex<Vec<String>>>,
}

impl Log {
    /// Makes this what all of the process logs to.
    pub fn install() -> Self {
        let log = Self::default();
        tracing::subscriber::set_global_default(log.clone()).unwrap();
        log
    }

    /// Every event with its level.
    pub fn events(&self) -> Vec<(Level, String)> {
        self.events.lock().unwrap().clone()
    }

    /// The events at error level.
    pub fn errors(&self) -> Vec<String> {
        let events = self.events().into_iter();
        events.filter(|(level, _)| *level == Level::ERROR).map(|(_, line)| line).collect()
    }

    /// The spans that were opened.
    pub fn spans(&self) -> Vec<String> {
        self.spans.lock().unwrap().clone()
    }

    /// Forgets the events until now.
    pub fn clear(&self) {
        self.events.lock().unwrap().clear();
    }
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("state_redis")
    }
    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut line = String::new();
        attributes.record(&mut Line(&mut line));
        self.spans.lock().unwrap().push(line);
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = String::new();
        event.record(&mut Line(&mut line));
        self.events.lock().unwrap().push((*event.metadata().level(), line));
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}
