//! What a store that keeps the contract holds, and what one step of a call makes of it.

mod leases;
mod values;
mod writes;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use state_conformance::linearizability::Model;
use state_core::{
    Acquired, ErrorKind, Expires, Expiry, Fence, FenceToken, Key, OpId, OwnerId, Timestamp, Version,
};

use super::call::{Reply, Request};

pub(super) use writes::part_tag;

/// A number that only one write of an episode has; sent again it has the same.
pub(super) type Tag = u64;

/// One step of a history.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The clock goes on.
    Pass(Duration),
    /// A call, or a part of a batch.
    Part(Box<Part>),
}

/// A call, or a part of a batch.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) request: Request,
    /// Without one nobody knows what it did.
    pub(super) reply: Option<Reply>,
    pub(super) tag: Tag,
}

/// The version of an entry.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Mark {
    /// As it was shown.
    Shown(Version),
    /// That of the write with this tag, which was not shown yet.
    Of(Tag),
}

/// An entry.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Held {
    value: Bytes,
    mark: Mark,
    deadline: Option<Timestamp>,
}

/// What one write has given.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Given {
    Written(Mark),
    Deleted { existed: bool, previous: Option<(Bytes, Mark)> },
    Incremented(i64, Mark),
}

/// An operation that was made under an id.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Remembered {
    given: Vec<Given>,
    deadline: Timestamp,
}

/// A lease as it was granted last.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Granted {
    owner: OwnerId,
    token: FenceToken,
    /// `None` when it was released.
    deadline: Option<Timestamp>,
}

/// What a store holds.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct World {
    now: Timestamp,
    entries: BTreeMap<Key, Held>,
    operations: BTreeMap<(Key, [u8; 16]), Remembered>,
    leases: BTreeMap<Key, Granted>,
    /// The greatest token that was seen in a fenced call.
    fences: BTreeMap<Key, FenceToken>,
    /// Versions that were first shown by a read.
    shown: BTreeSet<(Key, [u8; 16])>,
}

/// The answer of a step cannot be that of the world that it met.
#[derive(Clone, Copy, Debug)]
pub(super) struct Misfit;

type Fits<T = ()> = Result<T, Misfit>;

/// Fits if `holds`.
fn fits(holds: bool) -> Fits {
    if holds { Ok(()) } else { Err(Misfit) }
}

/// What a fenced call meets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Gate {
    Open,
    /// It was refused, as it must be or may be.
    Shut,
}

/// The contract, and what an episode makes use of.
#[derive(Debug)]
pub(super) struct Contract {
    /// The versions that receipts have shown, and whose they are.
    pub(super) receipts: HashMap<(Key, Version), Tag>,
    /// Operation ids that several calls have: nothing asks for the others again.
    pub(super) sent_again: HashSet<OpId>,
}

impl Model for Contract {
    type State = World;
    type Step = Step;

    fn take(&self, world: &World, step: &Step) -> Option<World> {
        let mut after = world.clone();
        let taken = match step {
            Step::Pass(by) => after.pass(*by),
            Step::Part(part) => {
                let Part { request, reply, tag } = &**part;
                Made { world: &mut after, contract: self, reply: reply.as_ref(), tag: *tag }
                    .take(request)
            }
        };
        taken.ok().map(|()| after)
    }

    fn only_looks(&self, step: &Step) -> bool {
        let Step::Part(part) = step else { return false };
        let Part { request, reply: Some(reply), .. } = &**part else { return false };
        match (request, reply) {
            // Nothing under a fence only looks, unless it is refused for it.
            (_, Reply::Refused(ErrorKind::Fenced, _)) => true,
            (request, _) if request.fence().is_some() => false,
            (request, Reply::Entry(_)) => request.is_read(),
            (_, Reply::Refused(..) | Reply::Lease(_)) => true,
            (_, Reply::Touched(told) | Reply::Released(told)) => !told,
            (_, Reply::Acquired(told)) => matches!(told, Acquired::Held { .. }),
            _ => false,
        }
    }

    /// Time does not go back, and tokens only grow.
    fn is_too_late(&self, world: &World, step: &Step) -> bool {
        let Step::Part(part) = step else { return false };
        let Part { request, reply: Some(reply), .. } = &**part else { return false };
        let token = |name: &Key| world.leases.get(name).map(|lease| lease.token);
        match (request, reply) {
            (_, Reply::Entry(Some(entry))) => {
                entry.expires.deadline().is_some_and(|deadline| deadline <= world.now)
            }
            (Request::Acquire(name, _), Reply::Acquired(Acquired::Granted(grant))) => {
                let last = token(name);
                let is_new = last != Some(grant.token);
                last > Some(grant.token) || (is_new && grant.token.get() < world.now_us())
            }
            (Request::Renew(name, ..), Reply::Granted(grant)) => token(name) > Some(grant.token),
            (Request::ReadLease(name), Reply::Lease(Some(told))) => token(name) > Some(told.token),
            _ => false,
        }
    }
}

impl World {
    /// An empty one.
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            now,
            entries: BTreeMap::new(),
            operations: BTreeMap::new(),
            leases: BTreeMap::new(),
            fences: BTreeMap::new(),
            shown: BTreeSet::new(),
        }
    }

    fn pass(&mut self, by: Duration) -> Fits {
        self.now = self.now.checked_add(by).ok_or(Misfit)?;
        let now = self.now;
        self.entries.retain(|_, held| held.deadline.is_none_or(|deadline| deadline > now));
        self.operations.retain(|_, remembered| remembered.deadline > now);
        Ok(())
    }

    /// The end of a lifetime that a write gives over an entry that has the deadline `kept`.
    fn deadline(&self, expiry: Expiry, kept: Option<Timestamp>) -> Option<Timestamp> {
        match expiry {
            Expiry::After(lifetime) => self.now.checked_add(lifetime),
            Expiry::At(deadline) => Some(deadline),
            Expiry::Keep => kept,
            _ => None,
        }
    }

    fn now_us(&self) -> u64 {
        self.now.unix_ms().saturating_mul(1_000)
    }

    fn expires(&self, deadline: Option<Timestamp>) -> Expires {
        Expires::of(deadline, self.now)
    }
}

impl std::fmt::Display for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let left = |deadline: Option<Timestamp>| match deadline {
            Some(deadline) => format!(" for {:?}", deadline.saturating_since(self.now)),
            None => String::new(),
        };
        for (key, held) in &self.entries {
            let value = String::from_utf8_lossy(&held.value);
            write!(f, " {key}={value}{}", left(held.deadline))?;
        }
        for (name, lease) in &self.leases {
            write!(f, " lease {name} token {}", lease.token)?;
            f.write_str(&lease.deadline.map_or(" released".to_owned(), |end| left(Some(end))))?;
        }
        for (name, token) in &self.fences {
            write!(f, " fence {name} at {token}")?;
        }
        Ok(())
    }
}

/// One step that is made in a world.
struct Made<'a> {
    world: &'a mut World,
    contract: &'a Contract,
    reply: Option<&'a Reply>,
    tag: Tag,
}

impl Made<'_> {
    fn take(&mut self, request: &Request) -> Fits {
        match request {
            Request::Get(key, options) => self.get(key, options),
            Request::Touch(key, options) => self.touch(key, options),
            Request::Write(op) => self.write(op),
            Request::Transact(transaction) => self.transact(transaction),
            Request::Acquire(name, options) => self.acquire(name, *options),
            Request::Renew(name, token, options) => self.renew(name, *token, *options),
            Request::Release(name, owner, token) => self.release(name, *owner, *token),
            Request::ReadLease(name) => self.read_lease(name),
            Request::GetMany(_) | Request::Batch(_) => Err(Misfit),
        }
    }

    fn is_refused(&self, kind: ErrorKind) -> bool {
        matches!(self.reply, Some(Reply::Refused(told, _)) if *told == kind)
    }

    /// It is refused now: that must be the answer, if there is one.
    fn refused(&self, kind: ErrorKind, index: Option<usize>) -> Fits {
        match self.reply {
            None => Ok(()),
            Some(Reply::Refused(told, at)) => fits(*told == kind && *at == index),
            Some(_) => Err(Misfit),
        }
    }

    /// Looks at the token of a fenced call, and remembers it. From the grant of a lease to the
    /// first call of its holder, the holder before it may be refused and need not be.
    fn gate(&mut self, fence: Option<&Fence>) -> Fits<Gate> {
        let Some(Fence { lease, token, .. }) = fence else { return Ok(Gate::Open) };
        let seen = self.world.fences.get(lease).is_some_and(|seen| seen > token);
        let issued = self.world.leases.get(lease).is_some_and(|issued| issued.token > *token);
        if seen || (issued && self.is_refused(ErrorKind::Fenced)) {
            return self.refused(ErrorKind::Fenced, None).map(|()| Gate::Shut);
        }
        self.world.fences.insert(lease.clone(), *token);
        Ok(Gate::Open)
    }

    /// Whether `shown` can be the version that is marked, and remembers that it is.
    fn same(&mut self, key: &Key, mark: Mark, shown: Version) -> Fits {
        let tag = match mark {
            Mark::Shown(version) => return fits(version == shown),
            Mark::Of(tag) => tag,
        };
        let receipt = self.contract.receipts.get(&(key.clone(), shown));
        let fresh = self.world.shown.insert((key.clone(), *shown.as_bytes()));
        fits(receipt.is_none_or(|of| *of == tag) && fresh)?;
        self.world.show(key, tag, Mark::Shown(shown));
        Ok(())
    }
}

impl World {
    /// The version of the write with this tag was shown.
    fn show(&mut self, key: &Key, tag: Tag, shown: Mark) {
        let change = |mark: &mut Mark| {
            if *mark == Mark::Of(tag) {
                *mark = shown;
            }
        };
        if let Some(held) = self.entries.get_mut(key) {
            change(&mut held.mark);
        }
        let remembered = self.operations.values_mut().flat_map(|operation| &mut operation.given);
        for given in remembered {
            match given {
                Given::Written(mark)
                | Given::Incremented(_, mark)
                | Given::Deleted { previous: Some((_, mark)), .. } => change(mark),
                Given::Deleted { .. } => {}
            }
        }
    }
}

/// The place where an operation is remembered.
fn place(key: &Key, id: OpId) -> (Key, [u8; 16]) {
    (key.clone(), *id.as_bytes())
}
