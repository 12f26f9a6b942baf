//! What the clients of an episode know, and what they make of a plan.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use state_core::{
    AcquireOptions, Acquired, DeleteOptions, Expiry, Fence, FenceToken, GetOptions,
    IncrementOptions, Key, LifetimeOn, OpId, OwnerId, Precondition, PutOptions, TouchOptions,
    Transaction, Version, WriteOp, WriteOutcome,
};

use super::call::{Reply, Request};
use super::plan::{Guard, KEYS, Kind, LEASES, Life, Plan, Wanted};

/// How long leases are asked for, unless a plan names a lifetime.
const LEASE: Duration = Duration::from_secs(2);

/// What clients know.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// Versions that any of them has seen, in the order in which they were seen.
    versions: BTreeMap<Key, Vec<Version>>,
    /// Tokens that a client was given, by lease.
    tokens: BTreeMap<(Key, usize), Vec<FenceToken>>,
    /// The last call under an operation id that a client has made.
    last: BTreeMap<usize, Request>,
}

/// The keys of all episodes; they lie in one partition, so that transactions may span them.
pub(super) fn keys() -> [Key; KEYS] {
    ["a", "b", "c"].map(|name| Key::in_partition("p", name))
}

fn leases() -> [Key; LEASES] {
    ["l", "m"].map(|name| Key::in_partition("p", name))
}

fn one_of<const N: usize>(all: [Key; N], place: usize) -> Key {
    all.into_iter().cycle().nth(place % N).unwrap_or_else(|| Key::from("none"))
}

/// A client as the holder of leases.
fn owner(client: usize) -> OwnerId {
    OwnerId::from_bytes((client as u128 + 1).to_be_bytes())
}

impl Board {
    /// What `client` asks for.
    pub(super) fn request(&mut self, client: usize, plan: &Plan) -> Request {
        let request = self.planned(client, plan);
        if id_of(&request).is_some() {
            self.last.insert(client, request.clone());
        }
        request
    }

    fn planned(&self, client: usize, plan: &Plan) -> Request {
        let [first, second] = plan.keys.map(|key| one_of(keys(), key));
        let lease = one_of(leases(), plan.lease);
        match plan.kind {
            Kind::Get => Request::Get(first, self.get(client, plan)),
            Kind::GetMany => Request::GetMany(vec![second, first]),
            Kind::Put | Kind::Delete | Kind::Increment => Request::Write(self.write(client, plan)),
            Kind::Touch => {
                let options = TouchOptions::new(touched(plan.life));
                Request::Touch(first, options.with_fence(self.fence(client, plan)))
            }
            Kind::Batch => Request::Batch(self.batch(client, [first, second], plan)),
            Kind::Transact => Request::Transact(self.transaction(client, plan)),
            Kind::Acquire => Request::Acquire(lease, asked(client, plan)),
            Kind::Renew => match self.token(client, &lease, plan.is_stale) {
                Some(token) => Request::Renew(lease, token, asked(client, plan)),
                None => Request::Acquire(lease, asked(client, plan)),
            },
            Kind::Release => match self.token(client, &lease, plan.is_stale) {
                Some(token) => Request::Release(lease, owner(client), token),
                None => Request::ReadLease(lease),
            },
            Kind::ReadLease => Request::ReadLease(lease),
            Kind::Resend => match self.last.get(&client) {
                Some(request) => request.clone(),
                None => Request::Get(first, GetOptions::new().with_expiry(true)),
            },
        }
    }

    fn get(&self, client: usize, plan: &Plan) -> GetOptions {
        let options = GetOptions::new().with_expiry(plan.flag);
        let touches = matches!(plan.life, Life::After(_)) && plan.wanted[0] != Wanted::Nothing;
        let touch = touches.then(|| touched(plan.life));
        options.with_touch(touch).with_fence(self.fence(client, plan))
    }

    /// A single write.
    fn write(&self, client: usize, plan: &Plan) -> WriteOp {
        let [key, _] = plan.keys.map(|key| one_of(keys(), key));
        let fence = self.fence(client, plan);
        let id = op_id(plan);
        let wanted = self.wanted(&key, plan.wanted[0]);
        match plan.kind {
            Kind::Delete => {
                let options = DeleteOptions::new().with_precondition(deletable(wanted));
                let options = options.with_return_value(plan.flag);
                WriteOp::delete_opts(key, options.with_fence(fence).with_op_id(id))
            }
            Kind::Increment => {
                let options = IncrementOptions::new().with_expiry(expiry(plan.life));
                let on = if plan.is_stale { LifetimeOn::Every } else { LifetimeOn::Create };
                let options = options.with_lifetime_on(on);
                WriteOp::increment_opts(key, plan.amount, options.with_fence(fence).with_op_id(id))
            }
            _ => {
                let options = PutOptions::new().with_precondition(wanted);
                let options = options.with_expiry(expiry(plan.life));
                WriteOp::put_opts(key, value(plan, 0), options.with_fence(fence).with_op_id(id))
            }
        }
    }

    /// Writes that each stand alone: two of one key, in their order, and one of another.
    fn batch(&self, client: usize, [first, second]: [Key; 2], plan: &Plan) -> Vec<WriteOp> {
        let fence = self.fence(client, plan);
        let options = PutOptions::new().with_expiry(expiry(plan.life)).with_fence(fence.clone());
        let wanted = self.wanted(&first, plan.wanted[0]);
        let conditional = options.clone().with_precondition(wanted);
        let last = match (plan.flag, plan.is_stale) {
            (true, _) => {
                let options = IncrementOptions::new().with_fence(fence);
                WriteOp::increment_opts(first.clone(), plan.amount, options)
            }
            (false, true) => {
                WriteOp::delete_opts(first.clone(), DeleteOptions::new().with_fence(fence))
            }
            (false, false) => WriteOp::put(first.clone(), value(plan, 3)),
        };
        vec![
            WriteOp::put_opts(first, value(plan, 1), conditional),
            WriteOp::put_opts(second, value(plan, 2), options),
            last,
        ]
    }

    fn transaction(&self, client: usize, plan: &Plan) -> Transaction {
        let [first, second] = plan.keys.map(|key| one_of(keys(), key));
        let [here, there] = plan.wanted;
        let fence = self.fence(client, plan);
        let id = op_id(plan);
        let wanted = self.wanted(&first, here);
        let put = PutOptions::new().with_expiry(expiry(plan.life)).with_precondition(wanted);
        let other = match (plan.flag, plan.is_stale) {
            (true, true) => WriteOp::delete(second.clone()),
            (true, false) => WriteOp::increment(second.clone(), plan.amount),
            _ => WriteOp::put(second.clone(), value(plan, 5)),
        };
        Transaction::new()
            .check(second.clone(), self.wanted(&second, there))
            .op(WriteOp::put_opts(first, value(plan, 4), put))
            .op(other)
            .with_fence(fence)
            .with_op_id(id)
    }

    fn wanted(&self, key: &Key, wanted: Wanted) -> Precondition {
        let seen = self.versions.get(key).map_or(&[][..], Vec::as_slice);
        match wanted {
            Wanted::Nothing => Precondition::Always,
            Wanted::Absent => Precondition::Absent,
            Wanted::Present => Precondition::Present,
            Wanted::Last => seen.last().map_or(Precondition::Absent, |seen| (*seen).into()),
            Wanted::Earlier => {
                seen.iter().rev().nth(1).map_or(Precondition::Present, |seen| (*seen).into())
            }
        }
    }

    fn fence(&self, client: usize, plan: &Plan) -> Option<Fence> {
        let lease = one_of(leases(), plan.lease);
        if plan.guard != Guard::Fence {
            return None;
        }
        let token = self.token(client, &lease, plan.is_stale);
        token.map(|token| Fence::new(lease, token))
    }

    fn token(&self, client: usize, lease: &Key, is_stale: bool) -> Option<FenceToken> {
        let tokens = self.tokens.get(&(lease.clone(), client))?;
        let last = tokens.last().copied();
        if is_stale { tokens.iter().rev().nth(1).copied().or(last) } else { last }
    }

    /// A client learns what it was answered.
    pub(super) fn learn(&mut self, client: usize, request: &Request, replies: &[Reply]) {
        for (part, reply) in request.parts().iter().zip(replies) {
            match (part, reply) {
                (Request::Get(key, _), Reply::Entry(Some(entry))) => self.saw(key, entry.version),
                (Request::Write(op), Reply::Receipt(receipt)) => self.wrote(op.key(), receipt),
                (Request::Transact(transaction), Reply::Receipts(receipts)) => {
                    for (op, receipt) in transaction.ops.iter().zip(receipts) {
                        self.wrote(op.key(), receipt);
                    }
                }
                (Request::Acquire(name, _), Reply::Acquired(Acquired::Granted(grant))) => {
                    let tokens = self.tokens.entry((name.clone(), client)).or_default();
                    if tokens.last() != Some(&grant.token) {
                        tokens.push(grant.token);
                    }
                }
                _ => {}
            }
        }
    }

    fn wrote(&mut self, key: &Key, receipt: &WriteOutcome) {
        match receipt {
            WriteOutcome::Written(written) => self.saw(key, written.version),
            WriteOutcome::Incremented(counted) => self.saw(key, counted.version),
            _ => {}
        }
    }

    fn saw(&mut self, key: &Key, version: Version) {
        let seen = self.versions.entry(key.clone()).or_default();
        if seen.last() != Some(&version) {
            seen.push(version);
        }
    }
}

/// The operation id that a call is made under.
pub(super) fn id_of(request: &Request) -> Option<OpId> {
    match request {
        Request::Write(WriteOp::Put { options, .. }) => options.op_id,
        Request::Write(WriteOp::Delete { options, .. }) => options.op_id,
        Request::Write(WriteOp::Increment { options, .. }) => options.op_id,
        Request::Transact(transaction) => transaction.op_id,
        _ => None,
    }
}

fn op_id(plan: &Plan) -> Option<OpId> {
    let id = OpId::from_bytes(u128::from(plan.number).to_be_bytes());
    (plan.guard == Guard::OperationId).then_some(id)
}

/// A value that no other write of the episode has. Most are numbers, which counters can add to.
fn value(plan: &Plan, part: u64) -> Bytes {
    let number = (plan.number + part) * 1_000;
    let text = if plan.amount == 0 { format!("t{number}") } else { number.to_string() };
    text.into()
}

fn asked(client: usize, plan: &Plan) -> AcquireOptions {
    let lifetime = if let Life::After(lifetime) = plan.life { lifetime } else { LEASE };
    AcquireOptions::new(owner(client), lifetime)
}

fn expiry(life: Life) -> Expiry {
    match life {
        Life::Unnamed => Expiry::Default,
        Life::Never => Expiry::Never,
        Life::Keep => Expiry::Keep,
        Life::After(lifetime) => Expiry::After(lifetime),
    }
}

/// A touch cannot keep the lifetime.
fn touched(life: Life) -> Expiry {
    if life == Life::Keep { Expiry::Never } else { expiry(life) }
}

/// A delete cannot ask for absence.
fn deletable(wanted: Precondition) -> Precondition {
    if wanted == Precondition::Absent { Precondition::Present } else { wanted }
}
