//! Resets after the server has applied what was asked, again and again: what promises one effect has one.

mod held;
mod logged;
mod threads;

use libtest_mimic::Failed;
use state_core::{
    Expiry, IncrementOptions, Key, OpId, StateBackend, StateBackendExt, Transaction, WriteOp,
};
use state_redis::{RedisBackend, RedisConfig};

use crate::proxy::{Cut, Ending, Moment, Proxy};
use crate::redis_stage::{Chance, Stage, effort, open, until_so, works_again};
use crate::servers::Reply;

pub(super) use held::leases;
pub(super) use logged::puts_and_removals;
pub(super) use threads::checkpoints;

/// Resets for each kind of call.
const RESETS: usize = 60;
const RESETS_SOAK: usize = 1_000;

/// Cuts the connection when the next command has been executed and before its reply is whole.
struct Saboteur<'a> {
    proxy: &'a Proxy,
    chance: Chance,
    done: u64,
}

impl<'a> Saboteur<'a> {
    fn new(stage: &'a Stage, test: &str) -> Result<Self, Failed> {
        Self::at(stage, 0, test)
    }

    /// In front of the server at this place.
    fn at(stage: &'a Stage, place: usize, test: &str) -> Result<Self, Failed> {
        let proxy = stage.servers.node(place)?.proxy().ok_or("no proxy")?;
        Ok(Self { proxy, chance: Chance::new(test)?, done: proxy.cuts_done() })
    }

    async fn arm(&mut self, store: &RedisBackend) -> Result<(), Failed> {
        // Answered, so the connection is there and the next command is the one to cut.
        store.get(key("settled")).await?;
        let moment = self.chance.pick(&[Moment::BeforeReply, Moment::MidReply]);
        let ending = self.chance.pick(&[Ending::Reset, Ending::Close]);
        let moment = moment.unwrap_or(Moment::BeforeReply);
        self.proxy.cut(Cut::reset(1, moment).with_ending(ending.unwrap_or(Ending::Reset)));
        Ok(())
    }

    async fn made(&mut self) -> Result<(), Failed> {
        self.done += 1;
        until_so("the cut was made", || self.proxy.cuts_done() == self.done).await
    }
}

/// Settings with which a call is sent again soon.
fn soon(stage: &Stage) -> Result<RedisConfig, Failed> {
    let mut config = stage.patient()?;
    config.retry_base_delay_ms = 1;
    Ok(config)
}

pub(super) fn one_effect(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(soon(stage)?).await?;
        // The server knows all scripts, so that what is cut has been applied.
        works_again(&store).await?;
        let transact = store.as_transact().ok_or("no transactions")?;
        transact.transact(Transaction::new().op(WriteOp::increment(key("first"), 1))).await?;
        let mut saboteur = Saboteur::at(stage, holder(stage)?, "one_effect")?;
        let resets = effort(RESETS, RESETS_SOAK);
        increments(&store, &mut saboteur, resets).await?;
        transactions(&store, &mut saboteur, resets).await?;
        compare_and_sets(&store, &mut saboteur, resets).await?;
        creations(&store, &mut saboteur, resets).await?;
        works_again(&store).await
    })
}

/// All keys are in one partition, so that one server has all of them in a cluster, too.
fn key(name: &str) -> Key {
    Key::in_partition("once", name.to_owned())
}

/// The place of the server that has them.
fn holder(stage: &Stage) -> Result<usize, Failed> {
    let has = |place: &usize| {
        let asked = stage.servers.admin(*place, &["EXISTS", "state:faults:v:{once}:first"]);
        matches!(asked, Ok(Reply::Integer(_)))
    };
    Ok(stage.servers.primaries().into_iter().find(has).ok_or("nobody has the partition")?)
}

fn id(number: usize, kind: u8) -> OpId {
    let mut bytes = [kind; 16];
    for (place, byte) in bytes.iter_mut().zip(number.to_be_bytes()) {
        *place = byte;
    }
    OpId::from_bytes(bytes)
}

async fn increments(
    store: &RedisBackend,
    saboteur: &mut Saboteur<'_>,
    resets: usize,
) -> Result<(), Failed> {
    let key = key("increments");
    for number in 1..=resets {
        saboteur.arm(store).await?;
        let options = IncrementOptions::new().with_op_id(id(number, 1));
        let sum = store.increment_opts(&key, 1, options).await?.value;
        saboteur.made().await?;
        assert_eq!(usize::try_from(sum)?, number, "an increment with an operation id");
    }
    Ok(())
}

async fn transactions(
    store: &RedisBackend,
    saboteur: &mut Saboteur<'_>,
    resets: usize,
) -> Result<(), Failed> {
    let transact = store.as_transact().ok_or("no transactions")?;
    let key = key("transactions");
    for number in 1..=resets {
        saboteur.arm(store).await?;
        let transaction = Transaction::new().op(WriteOp::increment(key.clone(), 1));
        transact.transact(transaction.with_op_id(id(number, 2))).await?;
        saboteur.made().await?;
    }
    let sum = store.increment(key, 0).await?;
    assert_eq!(usize::try_from(sum)?, resets, "transactions with operation ids");
    Ok(())
}

async fn compare_and_sets(
    store: &RedisBackend,
    saboteur: &mut Saboteur<'_>,
    resets: usize,
) -> Result<(), Failed> {
    let mut version = store.put(key("set"), "0").await?.version;
    for number in 1..=resets {
        saboteur.arm(store).await?;
        let written = store.compare_and_set(key("set"), version, number.to_string()).await?;
        saboteur.made().await?;
        let entry = store.get_entry(key("set")).await?.ok_or("nothing is there")?;
        assert_eq!((entry.version, entry.value), (written.version, number.to_string().into()));
        version = written.version;
    }
    Ok(())
}

async fn creations(
    store: &RedisBackend,
    saboteur: &mut Saboteur<'_>,
    resets: usize,
) -> Result<(), Failed> {
    for number in 0..resets {
        let key = key(&format!("created:{number}"));
        saboteur.arm(store).await?;
        let created = store.set_if_not_exists(key.clone(), "mine", Expiry::Never).await?;
        saboteur.made().await?;
        assert!(created, "what was created is taken for somebody else's");
        assert!(!store.set_if_not_exists(key, "other", Expiry::Never).await?, "created twice");
    }
    Ok(())
}
