//! What the threads of a proxy share: the fault in force, the armed cut, the links and what was counted.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::frames::Frame;
use super::link::Link;
use super::{Counts, Cut, Ending, Fault, Moment};

/// How long a change of the listener is waited for. It takes as long only when another program took the port.
const LISTENER_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) address: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    server: SocketAddr,
    fault: Fault,
    closed: bool,
    listening: bool,
    armed: Option<Armed>,
    cuts_done: u64,
    /// The number that the last command got.
    sequence: u64,
    next_link: u64,
    links: HashMap<u64, Entry>,
    /// What links that are gone had counted.
    past: Counts,
}

#[derive(Clone, Copy, Debug)]
struct Armed {
    sequence: u64,
    cut: Cut,
}

/// A link with what is known about its stream.
#[derive(Debug)]
struct Entry {
    link: Arc<Link>,
    counts: Counts,
    /// The numbers of the commands that have no reply yet.
    awaited: VecDeque<u64>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Client,
    /// Of a server to another one: not counted.
    Sentinel,
    /// The same, and what comes back are no replies.
    Replica,
}

impl Shared {
    pub(super) fn new(address: SocketAddr, server: SocketAddr) -> Self {
        let state = State {
            server,
            fault: Fault::Pass,
            closed: false,
            listening: true,
            armed: None,
            cuts_done: 0,
            sequence: 0,
            next_link: 0,
            links: HashMap::new(),
            past: Counts::default(),
        };
        Self { address, state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn server(&self) -> SocketAddr {
        self.state.lock().server
    }

    pub(super) fn set_server(&self, server: SocketAddr) {
        self.state.lock().server = server;
    }

    pub(super) fn fault(&self) -> Fault {
        self.state.lock().fault
    }

    pub(super) fn set_fault(&self, fault: Fault) {
        let mut state = self.state.lock();
        state.fault = fault;
        match fault {
            Fault::Refuse => state.end_all(Ending::Reset),
            Fault::HalfOpen => state.end_all(Ending::Silence),
            _ => {}
        }
        drop(state);
        self.changed.notify_all();
    }

    pub(super) fn arm(&self, cut: Cut) {
        let mut state = self.state.lock();
        state.armed = Some(Armed { sequence: state.sequence + cut.command.max(1), cut });
    }

    pub(super) fn cuts_done(&self) -> u64 {
        self.state.lock().cuts_done
    }

    /// A cut that was found by `note_requests` or `note_replies` has been made.
    pub(super) fn cut_is_done(&self) {
        self.state.lock().cuts_done += 1;
    }

    /// Whether a cut is armed that needs whole requests, or whole replies.
    pub(super) fn needs_whole(&self, replies: bool) -> bool {
        let armed = self.state.lock().armed;
        armed.is_some_and(|armed| armed.cut.moment.is_executed() == replies)
    }

    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    pub(super) fn refuses(&self) -> bool {
        self.state.lock().fault == Fault::Refuse
    }

    /// The accepting thread tells whether it listens.
    pub(super) fn listener_is(&self, listening: bool) {
        self.state.lock().listening = listening;
        self.changed.notify_all();
    }

    pub(super) fn wait_for_listener(&self) {
        let mut state = self.state.lock();
        let as_wished = |state: &mut State| state.listening == (state.fault == Fault::Refuse);
        self.changed.wait_while_for(&mut state, as_wished, LISTENER_PATIENCE);
    }

    pub(super) fn wait_while_refusing(&self) {
        let mut state = self.state.lock();
        self.changed.wait_while(&mut state, |state| state.fault == Fault::Refuse && !state.closed);
    }

    /// Waits while bytes are held back.
    pub(super) fn wait_while_holding(&self) {
        let mut state = self.state.lock();
        self.changed.wait_while(&mut state, |state| state.fault == Fault::Hold && !state.closed);
    }

    /// Lets `duration` pass, or the proxy be dropped.
    pub(super) fn pause(&self, duration: Duration) {
        let mut state = self.state.lock();
        self.changed.wait_while_for(&mut state, |state| !state.closed, duration);
    }

    pub(super) fn end_all(&self, ending: Ending) {
        self.state.lock().end_all(ending);
    }

    pub(super) fn open_links(&self) -> usize {
        self.state.lock().links.values().filter(|entry| !entry.link.has_ended()).count()
    }

    pub(super) fn counts(&self) -> Counts {
        let state = self.state.lock();
        let mut total = state.past.clone();
        for entry in state.links.values().filter(|entry| entry.kind == Kind::Client) {
            total.add(&entry.counts);
        }
        total
    }

    pub(super) fn add_link(&self, link: Arc<Link>) -> u64 {
        let mut state = self.state.lock();
        state.next_link += 1;
        let id = state.next_link;
        let counts = Counts { connections: 1, ..Counts::default() };
        let entry = Entry { link, counts, awaited: VecDeque::new(), kind: Kind::Client };
        state.links.insert(id, entry);
        id
    }

    pub(super) fn remove_link(&self, id: u64) {
        let mut state = self.state.lock();
        if let Some(entry) = state.links.remove(&id)
            && entry.kind == Kind::Client
        {
            state.past.add(&entry.counts);
        }
    }

    pub(super) fn add_bytes(&self, id: u64, to_server: usize, to_client: usize) {
        if let Some(entry) = self.state.lock().links.get_mut(&id) {
            entry.counts.bytes_to_server += to_server as u64;
            entry.counts.bytes_to_client += to_client as u64;
        }
    }

    /// Notes whole commands; says which of them is to be cut, and how.
    pub(super) fn note_requests(&self, id: u64, frames: &[Frame]) -> Option<(usize, Cut)> {
        let mut state = self.state.lock();
        let mut cut = None;
        for (place, frame) in frames.iter().enumerate() {
            let Some(sequence) = state.note_request(id, frame) else { continue };
            if let Some(armed) = state.armed
                && armed.sequence == sequence
                && !armed.cut.moment.is_executed()
            {
                cut = Some((place, armed.cut));
                break;
            }
        }
        if cut.is_some() {
            state.armed = None;
        }
        cut
    }

    /// Notes whole replies; says which of them is to be cut, and how.
    pub(super) fn note_replies(&self, id: u64, frames: &[Frame]) -> Option<(usize, Cut)> {
        let mut state = self.state.lock();
        let armed = state.armed;
        let entry = state.links.get_mut(&id)?;
        let mut cut = None;
        for (place, _) in frames.iter().enumerate().filter(|(_, frame)| !frame.is_push) {
            let answered = entry.awaited.pop_front();
            if let Some(armed) = armed
                && Some(armed.sequence) == answered
                && armed.cut.moment.is_executed()
            {
                cut = Some((place, armed.cut));
                break;
            }
        }
        if cut.is_some() {
            state.armed = None;
        }
        cut
    }

    /// Whether what comes back on this link are replies.
    pub(super) fn has_replies(&self, id: u64) -> bool {
        self.state.lock().links.get(&id).is_some_and(|entry| entry.kind != Kind::Replica)
    }
}

impl State {
    /// The number of the command, unless it comes from another server.
    fn note_request(&mut self, id: u64, frame: &Frame) -> Option<u64> {
        let entry = self.links.get_mut(&id)?;
        let words: Vec<&str> = frame.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["REPLCONF" | "PSYNC" | "SYNC", ..] => entry.kind = Kind::Replica,
            ["CLIENT", "SETNAME", name] if name.starts_with("SENTINEL-") => {
                entry.kind = Kind::Sentinel;
            }
            _ => {}
        }
        if entry.kind != Kind::Client {
            return None;
        }
        self.sequence += 1;
        entry.counts.commands += 1;
        entry.counts.round_trips += u64::from(entry.awaited.is_empty());
        let name = words.first().copied().unwrap_or_default();
        *entry.counts.by_name.entry(name.to_owned()).or_default() += 1;
        entry.awaited.push_back(self.sequence);
        Some(self.sequence)
    }

    fn end_all(&self, ending: Ending) {
        for entry in self.links.values() {
            entry.link.end(ending);
        }
    }
}

impl Moment {
    /// How many of `length` bytes still pass when a frame is cut at this moment.
    pub(super) fn bytes_passing(self, length: usize) -> usize {
        match self {
            Self::BeforeRequest | Self::BeforeReply => 0,
            Self::MidRequest | Self::MidReply => length / 2,
            Self::AfterReply => length,
        }
    }
}

impl Counts {
    fn add(&mut self, more: &Self) {
        self.connections += more.connections;
        self.commands += more.commands;
        self.round_trips += more.round_trips;
        self.bytes_to_server += more.bytes_to_server;
        self.bytes_to_client += more.bytes_to_client;
        for (name, count) in &more.by_name {
            *self.by_name.entry(name.clone()).or_default() += count;
        }
    }
}
