//! Connections that end at every moment of every kind of call: what the caller is told, and what has happened.

use std::time::Duration;

use libtest_mimic::Failed;
use state_core::{
    AcquireOptions, Acquired, DeleteOptions, Error, ErrorKind, Expiry, IncrementOptions, Key, OpId,
    Outcome, OwnerId, PutOptions, Resend, StateBackend, StateBackendExt, Transaction, WriteOp,
};
use state_redis::RedisBackend;

use crate::proxy::{Cut, Ending, Moment, Proxy};
use crate::redis_stage::{Stage, open, until_so, works_again};

const MINUTE: Duration = Duration::from_secs(60);

/// A kind of call, by what sending it again would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Get,
    Put,
    PutOnce,
    Create,
    CompareAndSet,
    Delete,
    DeleteWithId,
    Take,
    TakeWithId,
    Increment,
    IncrementWithId,
    Touch,
    Acquire,
    TransactWithId,
}

const OPS: [Op; 14] = [
    Op::Get,
    Op::Put,
    Op::PutOnce,
    Op::Create,
    Op::CompareAndSet,
    Op::Delete,
    Op::DeleteWithId,
    Op::Take,
    Op::TakeWithId,
    Op::Increment,
    Op::IncrementWithId,
    Op::Touch,
    Op::Acquire,
    Op::TransactWithId,
];

/// What is right when the connection ends at one moment of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// That it has happened, which it has, once.
    Done,
    /// That nobody knows, and that it is not to be tried again by the driver.
    Unknown,
}

impl Op {
    /// The table of `docs/guides/errors-and-retries.md`: what is resent, what is looked up, and what is left open.
    fn told(self, moment: Moment) -> Told {
        let resent = match self {
            Self::PutOnce | Self::Create => moment.is_executed(),
            Self::Take | Self::Increment => moment == Moment::AfterReply,
            _ => true,
        };
        if resent { Told::Done } else { Told::Unknown }
    }

    /// What is there before.
    async fn prepare(self, store: &RedisBackend, key: &Key) -> Result<(), Error> {
        match self {
            Self::Create | Self::Increment | Self::IncrementWithId | Self::Acquire => {}
            _ => drop(store.put(key.clone(), "7").await?),
        }
        Ok(())
    }

    async fn call(self, store: &RedisBackend, key: &Key, number: u8) -> Result<(), Error> {
        let id = OpId::from_bytes([number; 16]);
        let taking = DeleteOptions::new().with_return_value(true);
        match self {
            Self::Get => {
                let found = store.get(key.clone()).await?;
                assert_eq!(found.as_deref(), Some(b"7".as_slice()));
            }
            Self::Put => drop(store.put(key.clone(), "8").await?),
            Self::PutOnce => {
                let options = PutOptions::new().with_resend(Resend::Never);
                store.put_opts(key, "8".into(), options).await?;
            }
            Self::Create => {
                let created = store.set_if_not_exists(key.clone(), "8", Expiry::Never).await?;
                assert!(created, "somebody else created it");
            }
            Self::CompareAndSet => {
                let seen = store.get_entry(key.clone()).await?.map(|entry| entry.version);
                let seen = seen.ok_or_else(|| Error::invalid("not prepared"))?;
                store.compare_and_set(key.clone(), seen, "8").await?;
            }
            Self::Delete => {
                let deleted = store.delete_opts(key, DeleteOptions::new()).await?;
                // What was there is not denied: it is told, or told to be unknown.
                assert_ne!(deleted.existed, deleted.existed_unknown, "{deleted:?}");
            }
            Self::DeleteWithId => {
                let options = DeleteOptions::new().with_op_id(id);
                assert!(store.delete_opts(key, options).await?.existed, "it was there");
            }
            Self::Take => taken(&store.delete_opts(key, taking).await?),
            Self::TakeWithId => taken(&store.delete_opts(key, taking.with_op_id(id)).await?),
            Self::Increment => {
                let sum = store.increment(key.clone(), 1).await?;
                assert_eq!(sum, 1);
            }
            Self::IncrementWithId => {
                let options = IncrementOptions::new().with_op_id(id);
                assert_eq!(store.increment_opts(key, 1, options).await?.value, 1);
            }
            Self::Touch => assert!(store.touch(key.clone(), MINUTE).await?, "it is there"),
            Self::Acquire => {
                let options = AcquireOptions::new(OwnerId::from_bytes([number; 16]), MINUTE);
                let leases = store.as_lease().ok_or_else(|| Error::unsupported("leases"))?;
                let acquired = leases.acquire_lease(key, options).await?;
                assert!(matches!(acquired, Acquired::Granted(_)), "{acquired:?}");
            }
            Self::TransactWithId => {
                let transaction = Transaction::new().op(WriteOp::increment(key.clone(), 1));
                let transaction = transaction.with_op_id(id);
                let transact = store.as_transact().ok_or_else(|| Error::unsupported("transact"))?;
                transact.transact(transaction).await?;
            }
        }
        Ok(())
    }

    /// Makes sure that what has happened has happened once, and nothing else has.
    async fn check(self, store: &RedisBackend, key: &Key, happened: bool) -> Result<(), Failed> {
        let found = store.get(key.clone()).await?;
        let found = found.as_deref().map(String::from_utf8_lossy);
        let (before, after) = match self {
            Self::Get | Self::Touch => (Some("7"), Some("7")),
            Self::Put | Self::PutOnce | Self::CompareAndSet | Self::TransactWithId => {
                (Some("7"), Some("8"))
            }
            Self::Create => (None, Some("8")),
            Self::Delete | Self::DeleteWithId | Self::Take | Self::TakeWithId => (Some("7"), None),
            Self::Increment | Self::IncrementWithId => (None, Some("1")),
            Self::Acquire => (None, None),
        };
        let expected = if happened { after } else { before };
        assert_eq!(found.as_deref(), expected, "what is stored, happened: {happened}");
        if self == Self::Acquire {
            let held = store.as_lease().ok_or("no leases")?.read_lease(key).await?;
            assert!(held.is_some() || !happened, "the lease is lost");
        }
        Ok(())
    }
}

fn taken(deleted: &state_core::Deleted) {
    let value = deleted.previous.as_ref().map(|entry| entry.value.as_ref());
    assert_eq!(value, Some(b"7".as_slice()), "what was taken");
}

pub(super) fn reset(stage: &Stage) -> Result<(), Failed> {
    everywhere(stage, Ending::Reset, &Moment::ALL)
}

pub(super) fn close(stage: &Stage) -> Result<(), Failed> {
    everywhere(stage, Ending::Close, &Moment::ALL)
}

pub(super) fn silence(stage: &Stage) -> Result<(), Failed> {
    everywhere(stage, Ending::Silence, &[Moment::BeforeRequest, Moment::BeforeReply])
}

fn everywhere(stage: &Stage, ending: Ending, moments: &[Moment]) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage.patient()?).await?;
        let proxy = owner(stage, &store).await?;
        let mut number = 0;
        for op in OPS {
            for moment in moments {
                number += 1;
                let key = Key::in_partition("p", format!("{op:?}:{moment:?}"));
                once(&store, proxy, op, Cut::reset(1, *moment).with_ending(ending), &key, number)
                    .await
                    .map_err(|error| format!("{op:?} cut {moment:?}: {}", text(&error)))?;
            }
        }
        works_again(&store).await
    })
}

async fn once(
    store: &RedisBackend,
    proxy: &Proxy,
    op: Op,
    cut: Cut,
    key: &Key,
    number: u8,
) -> Result<(), Failed> {
    op.prepare(store, key).await?;
    // Answered, so the connection is there and the next command is that of the call.
    op_read(store, key).await?;
    let done = proxy.cuts_done();
    // Compare-and-set reads first.
    let command = if op == Op::CompareAndSet { 2 } else { 1 };
    proxy.cut(Cut { command, ..cut });
    let answer = op.call(store, key, number).await;
    until_so("the cut was made", || proxy.cuts_done() == done + 1).await?;
    match (op.told(cut.moment), answer) {
        (Told::Done, Ok(())) => op.check(store, key, true).await,
        (Told::Unknown, Err(error)) => {
            let found = (error.kind(), error.outcome());
            assert_eq!(found, (ErrorKind::Unavailable, Outcome::Unknown), "{error}");
            op.check(store, key, cut.moment.is_executed()).await
        }
        (told, Ok(())) => Err(format!("expected {told:?}, and it succeeded").into()),
        (told, Err(error)) => {
            let (kind, outcome) = (error.kind(), error.outcome());
            Err(format!("expected {told:?}, got {kind}, {outcome}: {error}").into())
        }
    }
}

async fn op_read(store: &RedisBackend, key: &Key) -> Result<(), Failed> {
    store.get(key.clone()).await?;
    Ok(())
}

/// The proxy in front of the server that has the partition of all keys here, with the scripts known there.
async fn owner<'a>(stage: &'a Stage, store: &RedisBackend) -> Result<&'a Proxy, Failed> {
    for (number, op) in (201..).zip(OPS) {
        let key = Key::in_partition("p", format!("first:{op:?}"));
        op.prepare(store, &key).await?;
        op.call(store, &key, number).await?;
    }
    let before = stage.counts();
    store.put(Key::in_partition("p", "owner"), "1").await?;
    let mut nodes = stage.proxies().zip(&before);
    let found = nodes.find(|(proxy, before)| proxy.counts().since(before).count("SET") == 1);
    found.map(|(proxy, _)| proxy).ok_or_else(|| "no server got the put".into())
}

fn text(error: &Failed) -> &str {
    error.message().unwrap_or("no message")
}
