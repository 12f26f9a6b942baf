//! What happened in an episode, as it is judged and as it is shown to people.

use std::collections::HashMap;
use std::time::Duration;

use state_core::{
    Acquired, Entry, Expires, Expiry, Fence, GetOptions, Precondition, Version, WriteOp,
    WriteOutcome,
};

use super::Tally;
use super::call::{Reply, Request};

/// Everything that happened, in the order in which it began.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) events: Vec<Event>,
    ticks: u64,
}

/// One thing that happened.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) at: u64,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Call(Box<Called>),
    /// The clock went on.
    Passed(Duration),
    /// The storage, or the whole store.
    Note(String),
}

/// A call of a client.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) client: usize,
    pub(super) request: Request,
    pub(super) end: Ended,
}

/// How a call ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// It is under way.
    Not,
    Answered(u64, Vec<Reply>),
    /// It never reached the store.
    Refused,
    /// Nobody knows what it did, or will do.
    Lost(&'static str),
    /// Nobody knows what it had done when the power was cut.
    Cut(u64),
}

impl Called {
    fn is_unknown(&self) -> bool {
        match &self.end {
            Ended::Lost(_) | Ended::Cut(_) => true,
            Ended::Answered(_, replies) => {
                replies.iter().any(|reply| matches!(reply, Reply::Unknown))
            }
            Ended::Not | Ended::Refused => false,
        }
    }
}

impl History {
    /// The next moment.
    pub(super) fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    /// Notes what happens now; its place.
    pub(super) fn add(&mut self, what: What) -> usize {
        let at = self.tick();
        self.events.push(Event { at, what });
        self.events.len() - 1
    }

    /// Notes how the call at `place` ended.
    pub(super) fn end(&mut self, place: usize, end: impl FnOnce(u64) -> Ended) {
        let at = self.tick();
        if let Some(Event { what: What::Call(called), .. }) = self.events.get_mut(place) {
            called.end = end(at);
        }
    }

    /// What there was of everything.
    pub(super) fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for event in &self.events {
            match &event.what {
                What::Passed(_) => tally.passes += 1,
                What::Note(_) => tally.notes += 1,
                What::Call(called) => {
                    tally.calls += 1;
                    tally.unknown += u64::from(called.is_unknown());
                }
            }
        }
        tally
    }

    /// For people, one line for each event.
    pub(super) fn story(&self) -> String {
        let mut told = Teller::default();
        let mut story = String::new();
        for event in &self.events {
            let line = match &event.what {
                What::Passed(by) => format!("{:>4}       {by:?} pass", event.at),
                What::Note(note) => format!("{:>4}       {note}", event.at),
                What::Call(called) => told.call(event.at, called),
            };
            story.push_str(&line);
            story.push('\n');
        }
        story
    }
}

/// Tells versions apart by numbers in the order in which they come up.
#[derive(Debug, Default)]
pub(super) struct Teller {
    versions: HashMap<Version, usize>,
}

impl Teller {
    fn version(&mut self, version: Version) -> String {
        let next = self.versions.len() + 1;
        format!("#{}", self.versions.entry(version).or_insert(next))
    }

    fn call(&mut self, at: u64, called: &Called) -> String {
        let asked = self.request(&called.request);
        let (until, answer) = match &called.end {
            Ended::Not => (String::new(), "under way".to_owned()),
            Ended::Answered(at, replies) => {
                let replies: Vec<_> = replies.iter().map(|reply| self.reply(reply)).collect();
                (at.to_string(), replies.join(", "))
            }
            Ended::Refused => (String::new(), "refused on its way".to_owned()),
            Ended::Lost(how) => (String::new(), format!("unknown ({how})")),
            Ended::Cut(at) => (at.to_string(), "unknown (power cut)".to_owned()),
        };
        format!("{at:>4}..{until:<4} client {}: {asked} -> {answer}", called.client)
    }

    fn request(&mut self, request: &Request) -> String {
        match request {
            Request::Get(key, options) => format!("get {key}{}", read_options(options)),
            Request::GetMany(keys) => {
                let keys: Vec<_> = keys.iter().map(ToString::to_string).collect();
                format!("get many {}", keys.join(" "))
            }
            Request::Write(op) => self.write(op),
            Request::Touch(key, options) => {
                format!("touch {key}{}{}", life(options.expiry), fence(options.fence.as_ref()))
            }
            Request::Batch(ops) => format!("batch [{}]", self.writes(ops)),
            Request::Transact(transaction) => {
                let checks = transaction.checks.iter();
                let checks = checks.map(|check| {
                    format!("check {}{}, ", check.key, self.wanted(check.precondition))
                });
                let checks: String = checks.collect();
                let writes = self.writes(&transaction.ops);
                let id = id(transaction.op_id.is_some());
                format!("transaction [{checks}{writes}]{}{id}", fence(transaction.fence.as_ref()))
            }
            Request::Acquire(name, options) => format!("acquire {name} for {:?}", options.ttl),
            Request::Renew(name, token, options) => {
                format!("renew {name} under {token} for {:?}", options.ttl)
            }
            Request::Release(name, _, token) => format!("release {name} under {token}"),
            Request::ReadLease(name) => format!("read lease {name}"),
        }
    }

    fn writes(&mut self, ops: &[WriteOp]) -> String {
        ops.iter().map(|op| self.write(op)).collect::<Vec<_>>().join(", ")
    }

    fn write(&mut self, op: &WriteOp) -> String {
        match op {
            WriteOp::Put { key, value, options } => {
                let wanted = self.wanted(options.precondition);
                let value = String::from_utf8_lossy(value);
                let (life, fence) = (life(options.expiry), fence(options.fence.as_ref()));
                format!("put {key}={value}{wanted}{life}{fence}{}", id(options.op_id.is_some()))
            }
            WriteOp::Delete { key, options } => {
                let wanted = self.wanted(options.precondition);
                let takes = if options.return_value { " and return" } else { "" };
                let fence = fence(options.fence.as_ref());
                format!("delete {key}{takes}{wanted}{fence}{}", id(options.op_id.is_some()))
            }
            WriteOp::Increment { key, by, options } => {
                let (life, fence) = (life(options.expiry), fence(options.fence.as_ref()));
                let on = options.lifetime_on;
                format!("add {by} to {key}{life} {on:?}{fence}{}", id(options.op_id.is_some()))
            }
            other => format!("{other:?}"),
        }
    }

    fn wanted(&mut self, wanted: Precondition) -> String {
        match wanted {
            Precondition::Always => String::new(),
            Precondition::Matches(version) => format!(" if {}", self.version(version)),
            other => format!(" if {other:?}").to_lowercase(),
        }
    }

    fn reply(&mut self, reply: &Reply) -> String {
        match reply {
            Reply::Entry(Some(entry)) => self.entry(entry),
            Reply::Receipt(receipt) => self.receipt(receipt),
            Reply::Receipts(receipts) => {
                receipts.iter().map(|one| self.receipt(one)).collect::<Vec<_>>().join(", ")
            }
            Reply::Touched(true) => "touched".to_owned(),
            Reply::Entry(None) | Reply::Touched(false) => "absent".to_owned(),
            Reply::Acquired(Acquired::Granted(grant)) | Reply::Granted(grant) => {
                format!("granted under {}", grant.token)
            }
            Reply::Acquired(other) => format!("{other:?}"),
            Reply::Released(told) => format!("released: {told}"),
            Reply::Lease(None) => "free".to_owned(),
            Reply::Lease(Some(state)) => {
                format!("held under {} for {:?}", state.token, state.remaining)
            }
            Reply::Refused(kind, None) => format!("refused: {kind}"),
            Reply::Refused(kind, Some(index)) => format!("refused: {kind} at {index}"),
            Reply::Failed => "not served".to_owned(),
            Reply::Unknown => "unknown".to_owned(),
            Reply::Strange(what) => what.clone(),
        }
    }

    fn receipt(&mut self, receipt: &WriteOutcome) -> String {
        match receipt {
            WriteOutcome::Written(told) => self.version(told.version),
            WriteOutcome::Incremented(told) => {
                format!("{} {}", told.value, self.version(told.version))
            }
            WriteOutcome::Deleted(told) => match &told.previous {
                Some(entry) => format!("deleted {}", self.entry(entry)),
                None if told.existed => "deleted".to_owned(),
                None => "absent".to_owned(),
            },
            other => format!("{other:?}"),
        }
    }

    fn entry(&mut self, entry: &Entry) -> String {
        let left = match entry.expires {
            Expires::At { remaining, .. } => format!(" for {remaining:?}"),
            Expires::Never => " for ever".to_owned(),
            _ => String::new(),
        };
        let value = String::from_utf8_lossy(&entry.value).into_owned();
        format!("{value} {}{left}", self.version(entry.version))
    }
}

fn read_options(options: &GetOptions) -> String {
    let touch = options.touch.map_or(String::new(), |expiry| format!(" touching{}", life(expiry)));
    format!("{touch}{}", fence(options.fence.as_ref()))
}

fn life(expiry: Expiry) -> String {
    match expiry {
        Expiry::Default => String::new(),
        Expiry::After(lifetime) => format!(" for {lifetime:?}"),
        other => format!(" {other:?}").to_lowercase(),
    }
}

fn fence(fence: Option<&Fence>) -> String {
    fence.map_or(String::new(), |fence| format!(" under {} of {}", fence.token, fence.lease))
}

fn id(there: bool) -> &'static str {
    if there { " with an id" } else { "" }
}
