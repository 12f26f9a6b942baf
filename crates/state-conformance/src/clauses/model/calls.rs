//! Makes a step in the backend and in the map, and compares the answers.

use std::collections::{BTreeMap, HashSet};

use state_core::{
    Bytes, ClearOptions, Consistency, CountOptions, DeleteOptions, Error, ErrorKind, GetOptions,
    HashWriteOptions, IncrementOptions, Key, LifetimeOn, ListOptions, Outcome, PutOptions,
    StateBackend, TouchOptions, Transaction, WriteOp, WriteOutcome,
};

use super::step::{HashCall, Life, Step, Wanted, Write};
use super::world::{World, decimal};
use crate::Context;

type Compared = Result<(), String>;

/// Makes `step` through `store` and in `world`.
pub(super) async fn make(
    cx: &Context,
    store: &dyn StateBackend,
    world: &mut World,
    step: &Step,
) -> Compared {
    match step {
        Step::Advance(by) => {
            cx.advance(*by).await;
            world.advance(*by);
            Ok(())
        }
        Step::Get(key) => {
            let found = store.get_opts(key, GetOptions::new()).await.map_err(unexpected)?;
            world.same_entry(key, found.as_ref())
        }
        Step::GetMany(keys) => {
            let found = store.get_many(keys, GetOptions::new()).await.map_err(unexpected)?;
            same("the number of answers", &found.len(), &keys.len())?;
            for (key, found) in keys.iter().zip(found) {
                world.same_entry(key, found.map_err(unexpected)?.as_ref())?;
            }
            Ok(())
        }
        Step::Write(write) => {
            let answer = single(store, world, write).await;
            compare(world, write, answer)
        }
        Step::Batch(writes) => batch(store, world, writes).await,
        Step::Transaction(checks, writes) => transaction(store, world, checks, writes).await,
        Step::Touch(key, life) => touch(store, world, key, *life).await,
        Step::List { .. } | Step::Count { .. } | Step::Clear { .. } => {
            survey(store, world, step).await
        }
        Step::Hash(key, call) => hash(store, world, key, call).await,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` takes")]
fn unexpected(error: Error) -> String {
    format!("it failed with `{}`: {error}", error.kind())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, expected: &T) -> Compared {
    if got == expected {
        return Ok(());
    }
    Err(format!("{what}: got {got:?}, expected {expected:?}"))
}

/// The call must have been refused with `kind`.
fn refused<T: std::fmt::Debug>(answer: Result<T, Error>, kind: ErrorKind) -> Compared {
    match answer {
        Ok(got) => Err(format!("expected the error `{kind}`, got {got:?}")),
        Err(error) => {
            same("the error", &(error.kind(), error.outcome()), &(kind, Outcome::NotApplied))
        }
    }
}

/// The write as a backend takes it.
fn op(world: &World, write: &Write) -> WriteOp {
    match write {
        Write::Put { key, value, life, wanted } => {
            let options = PutOptions::new()
                .with_expiry(world.expiry(*life))
                .with_precondition(world.precondition(key, *wanted));
            WriteOp::put_opts(key, *value, options)
        }
        Write::Delete { key, wanted, return_value } => {
            let options = DeleteOptions::new()
                .with_return_value(*return_value)
                .with_precondition(world.precondition(key, *wanted));
            WriteOp::delete_opts(key, options)
        }
        Write::Increment { key, by, life, every } => {
            let on = if *every { LifetimeOn::Every } else { LifetimeOn::Create };
            let expiry = world.expiry(*life);
            let options = IncrementOptions::new().with_expiry(expiry).with_lifetime_on(on);
            WriteOp::increment_opts(key, *by, options)
        }
    }
}

/// Makes one write by the method that is meant for it.
async fn single(
    store: &dyn StateBackend,
    world: &World,
    write: &Write,
) -> Result<WriteOutcome, Error> {
    match op(world, write) {
        WriteOp::Put { key, value, options } => {
            store.put_opts(&key, value, options).await.map(WriteOutcome::Written)
        }
        WriteOp::Delete { key, options } => {
            store.delete_opts(&key, options).await.map(WriteOutcome::Deleted)
        }
        WriteOp::Increment { key, by, options } => {
            store.increment_opts(&key, by, options).await.map(WriteOutcome::Incremented)
        }
        other => Err(Error::invalid(format!("no write of a model: {other:?}"))),
    }
}

fn compare(world: &mut World, write: &Write, answer: Result<WriteOutcome, Error>) -> Compared {
    match world.predict(write) {
        Err(kind) => refused(answer, kind),
        Ok(effect) => world.made(write, effect, &answer.map_err(unexpected)?),
    }
}

/// A batch whose writes name what is there before it; each is compared on its own.
async fn batch(store: &dyn StateBackend, world: &mut World, writes: &[Write]) -> Compared {
    // A version is named before the batch and met in the middle of it: only a key that the batch
    // has not written yet can be asked for one.
    let mut written = HashSet::new();
    let writes: Vec<Write> = writes.iter().map(|write| once(write, &mut written)).collect();
    let ops = writes.iter().map(|write| op(world, write)).collect();
    let answers = store.write_many(ops).await.map_err(unexpected)?;
    same("the number of answers", &answers.len(), &writes.len())?;
    for (number, (write, answer)) in writes.iter().zip(answers).enumerate() {
        compare(world, write, answer).map_err(|error| format!("write {number}: {error}"))?;
    }
    Ok(())
}

/// The write without a precondition on a version when its key was written before.
fn once(write: &Write, written: &mut HashSet<Key>) -> Write {
    let again = !written.insert(write.key().clone());
    let mut write = write.clone();
    if let Write::Put { wanted, .. } | Write::Delete { wanted, .. } = &mut write
        && again
        && matches!(wanted, Wanted::Current | Wanted::Other)
    {
        *wanted = Wanted::Present;
    }
    write
}

async fn transaction(
    store: &dyn StateBackend,
    world: &mut World,
    checks: &[(Key, Wanted)],
    writes: &[Write],
) -> Compared {
    let mut transaction = Transaction::new();
    for (key, wanted) in checks {
        transaction = transaction.check(key, world.precondition(key, *wanted));
    }
    for write in writes {
        transaction = transaction.op(op(world, write));
    }
    let answer = store.as_transact().unwrap().transact(transaction).await;
    let distinct: HashSet<&Key> = writes.iter().map(Write::key).collect();
    let predicted: Vec<_> = writes.iter().map(|write| world.predict(write)).collect();
    let bad_delete = |write: &Write| matches!(write, Write::Delete { wanted: Wanted::Absent, .. });
    if distinct.len() < writes.len() || writes.iter().any(bad_delete) {
        return refused(answer, ErrorKind::Invalid);
    }
    if checks.iter().any(|(key, wanted)| !world.holds(key, *wanted)) {
        let invalid = predicted.contains_kind(ErrorKind::Invalid);
        return refused_one_of(answer, ErrorKind::Conflict, invalid);
    }
    let conflict = predicted.contains_kind(ErrorKind::Conflict);
    let invalid = predicted.contains_kind(ErrorKind::Invalid);
    if conflict {
        return refused_one_of(answer, ErrorKind::Conflict, invalid);
    }
    if invalid {
        return refused(answer, ErrorKind::Invalid);
    }
    let receipts = answer.map_err(unexpected)?;
    same("the number of receipts", &receipts.len(), &writes.len())?;
    for ((write, effect), receipt) in writes.iter().zip(predicted).zip(&receipts) {
        let effect = effect.map_err(|kind| kind.to_string())?;
        world.made(write, effect, receipt)?;
    }
    Ok(())
}

/// Whether some write of a transaction must be refused with a kind.
trait ContainsKind {
    fn contains_kind(&self, kind: ErrorKind) -> bool;
}

impl<T> ContainsKind for Vec<Result<T, ErrorKind>> {
    fn contains_kind(&self, kind: ErrorKind) -> bool {
        self.iter().any(|predicted| predicted.as_ref().is_err_and(|refused| *refused == kind))
    }
}

/// As [`refused`]; a transaction that is refused for two reasons may name either.
fn refused_one_of<T: std::fmt::Debug>(
    answer: Result<T, Error>,
    kind: ErrorKind,
    or_invalid: bool,
) -> Compared {
    let named = answer.as_ref().err().map(Error::kind);
    let kind =
        if or_invalid && named == Some(ErrorKind::Invalid) { ErrorKind::Invalid } else { kind };
    refused(answer, kind)
}

async fn touch(store: &dyn StateBackend, world: &mut World, key: &Key, life: Life) -> Compared {
    let answer = store.touch_opts(key, TouchOptions::new(world.expiry(life))).await;
    if life == Life::Keep {
        return refused(answer, ErrorKind::Invalid);
    }
    let deadline = world.deadline(life, None);
    let entry = world.contents_mut().entries.get_mut(key);
    same("whether there is an entry to touch", &answer.map_err(unexpected)?, &entry.is_some())?;
    if let Some(entry) = entry {
        entry.2 = deadline;
    }
    Ok(())
}

async fn survey(store: &dyn StateBackend, world: &mut World, step: &Step) -> Compared {
    match step {
        Step::List { prefix, scope, limit } => {
            let mut listed = Vec::new();
            let mut token = None;
            loop {
                let options = ListOptions::new(*prefix).with_scope(scope.clone());
                let options = options.with_limit(*limit).with_token(token);
                let page = store.list_page(options).await.map_err(unexpected)?;
                if page.items.len() > *limit {
                    return Err(format!("a page of {} items", page.items.len()));
                }
                listed.extend(page.items.into_iter().map(|meta| meta.key));
                token = page.next;
                if token.is_none() {
                    break;
                }
            }
            if !store.capabilities().has(state_core::Capability::OrderedList) {
                listed.sort_unstable();
                listed.dedup();
            }
            same("what is listed", &listed, &world.covered(prefix, scope))
        }
        Step::Count { prefix, scope } => {
            let options = CountOptions::new(*prefix).with_scope(scope.clone());
            let counted = store.count_opts(options).await.map_err(unexpected)?;
            same("what is counted", &counted, &(world.covered(prefix, scope).len() as u64))
        }
        Step::Clear { prefix, scope } => {
            let options = ClearOptions::new(*prefix).with_scope(scope.clone());
            let cleared = store.clear_opts(options).await.map_err(unexpected)?;
            same("how many were removed", &cleared, &(world.clear(prefix, scope) as u64))
        }
        other => Err(format!("no survey: {other:?}")),
    }
}

async fn hash(store: &dyn StateBackend, world: &mut World, key: &Key, call: &HashCall) -> Compared {
    let hashes = store.as_hash().unwrap();
    let there = world.contents().hashes.get(key).cloned();
    let (mut fields, kept) = there.clone().unwrap_or_default();
    // A write of a hash that names no lifetime keeps the one that it has.
    let options = |life: Life| match life {
        Life::Unnamed => HashWriteOptions::new(),
        named => HashWriteOptions::new().with_expiry(world.expiry(named)),
    };
    let deadline = |life: Life| match life {
        Life::Unnamed => kept,
        named => world.deadline(named, kept),
    };
    let mut after = kept;
    match call {
        HashCall::Set(pairs, life) => {
            let given = pairs.iter().map(|(field, value)| ((*field).into(), (*value).into()));
            let given: Vec<(Bytes, Bytes)> = given.collect();
            let new =
                hashes.hash_set(key, given.clone(), options(*life)).await.map_err(unexpected)?;
            let before = fields.len();
            if !given.is_empty() {
                after = deadline(*life);
            }
            fields.extend(given);
            same("new fields", &new, &((fields.len() - before) as u64))?;
        }
        HashCall::Delete(names) => {
            let names = bytes(names);
            let gone = hashes.hash_delete(key, &names, HashWriteOptions::new()).await;
            let before = fields.len();
            fields.retain(|field, _| !names.contains(field));
            same("fields removed", &gone.map_err(unexpected)?, &((before - fields.len()) as u64))?;
        }
        HashCall::Increment(field, by, life) => {
            let answer = hashes.hash_increment(key, &(*field).into(), *by, options(*life)).await;
            let field = Bytes::from(*field);
            let held = fields.get(&field).map_or(Some(0), |value| decimal(value));
            let Some(sum) = held.and_then(|held| held.checked_add(*by)) else {
                return refused(answer, ErrorKind::Invalid);
            };
            same("the sum", &answer.map_err(unexpected)?, &sum)?;
            fields.insert(field, sum.to_string().into());
            after = deadline(*life);
        }
        HashCall::Get(names) => {
            let names = bytes(names);
            let found = hashes.hash_get(key, &names, Consistency::Strong).await;
            let expected = names.iter().map(|name| fields.get(name).cloned()).collect();
            same("the fields read", &found.map_err(unexpected)?, &expected)?;
        }
        HashCall::Remove => {
            let removed = hashes.hash_remove(key, HashWriteOptions::new()).await;
            same("whether there was a hash", &removed.map_err(unexpected)?, &there.is_some())?;
            fields = BTreeMap::new();
        }
    }
    let hashes = &mut world.contents_mut().hashes;
    if fields.is_empty() {
        hashes.remove(key);
    } else {
        hashes.insert(key.clone(), (fields, after));
    }
    Ok(())
}

fn bytes(names: &[&'static str]) -> Vec<Bytes> {
    names.iter().copied().map(Bytes::from).collect()
}
