//! Moving a slot from one primary to another, key by key, as tools for operators do.

use std::collections::BTreeSet;

use libtest_mimic::Failed;

use crate::redis_stage::Stage;
use crate::servers::{Reply, wait_until};

/// A slot on its way.
#[derive(Debug)]
pub(super) struct Moving<'s> {
    stage: &'s Stage,
    partition: String,
    slot: String,
    from: usize,
    to: usize,
}

/// The primary that has the slot of `partition`, by its place among the primaries.
pub(super) fn owner(stage: &Stage, partition: &str) -> Result<usize, Failed> {
    let probe = probe(partition);
    let is_owner = |place: &usize| {
        // A key that is not there: only the owner says so.
        matches!(stage.servers.admin(*place, &["GET", &probe]), Ok(Reply::Nil))
    };
    Ok(stage.servers.primaries().iter().position(is_owner).ok_or("nobody owns the slot")?)
}

/// Moves the slot of a partition `steps` primaries on.
pub(super) fn move_slot(stage: &Stage, partition: &str, steps: usize) -> Result<(), Failed> {
    let moving = Moving::begin(stage, partition, steps)?;
    while moving.some(50)? {}
    moving.end()
}

/// Waits until all primaries say the same of each other. A node that takes a slot without having heard of the last move
/// gives itself an epoch that is not the greatest: then the others make it give the slot up, and it throws away the keys.
fn agree(stage: &Stage) -> Result<(), Failed> {
    let views = || -> Result<BTreeSet<Vec<String>>, Failed> {
        let said = stage.servers.primaries().into_iter().map(|place| {
            let nodes = ask(stage, place, &["CLUSTER", "NODES"])?.text();
            let mut lines: Vec<String> = nodes
                .lines()
                .filter(|line| line.contains("master"))
                .map(|line| {
                    let words: Vec<&str> = line.split_ascii_whitespace().collect();
                    let slots = words.iter().skip(8).filter(|slot| !slot.starts_with('['));
                    let mut told = vec![words.first().copied().unwrap_or_default()];
                    told.extend(words.get(6));
                    told.extend(slots);
                    told.join(" ")
                })
                .collect();
            lines.sort();
            Ok(lines)
        });
        said.collect()
    };
    let agreed = || views().is_ok_and(|views| views.len() == 1).then_some(());
    Ok(wait_until("all primaries say the same of each other", agreed)?)
}

impl<'s> Moving<'s> {
    /// Marks the slot on both sides; nothing has moved yet.
    pub(super) fn begin(stage: &'s Stage, partition: &str, steps: usize) -> Result<Self, Failed> {
        let primaries = stage.servers.primaries();
        let owner = owner(stage, partition)?;
        let from = *primaries.get(owner).ok_or("no owner")?;
        let to = *primaries.get((owner + steps) % primaries.len()).ok_or("no other primary")?;
        let Reply::Integer(slot) = ask(stage, from, &["CLUSTER", "KEYSLOT", partition])? else {
            return Err("no slot".into());
        };
        agree(stage)?;
        let partition = partition.to_owned();
        let moving = Self { stage, partition, slot: slot.to_string(), from, to };
        let (from_id, to_id) = (moving.id(from)?, moving.id(to)?);
        moving.set_slot(to, &["IMPORTING", &from_id])?;
        moving.set_slot(from, &["MIGRATING", &to_id])?;
        Ok(moving)
    }

    /// Moves at most `keys` keys; whether there were any.
    pub(super) fn some(&self, keys: usize) -> Result<bool, Failed> {
        self.migrate(self.from, self.to, keys)
    }

    /// Makes the other primary the owner, and waits until all know.
    pub(super) fn end(self) -> Result<(), Failed> {
        let (stage, id) = (self.stage, self.id(self.to)?);
        for place in [self.to, self.from] {
            self.set_slot(place, &["NODE", &id])?;
        }
        let announced = stage.servers.node(self.to)?.address().to_string();
        let probe = probe(&self.partition);
        // The next move of the slot begins when all nodes know of this one.
        let is_told = |place: &usize| match stage.servers.admin(*place, &["GET", &probe]) {
            Ok(Reply::Nil) => *place == self.to,
            Ok(Reply::Error(text)) => {
                *place != self.to && text.starts_with("MOVED") && text.contains(&announced)
            }
            _ => false,
        };
        let primaries = stage.servers.primaries();
        let told = || primaries.iter().all(is_told).then_some(());
        Ok(wait_until("all nodes know where the slot is", told)?)
    }

    /// Takes everything back.
    pub(super) fn give_up(self) -> Result<(), Failed> {
        self.set_slot(self.from, &["STABLE"])?;
        while self.migrate(self.to, self.from, 10)? {}
        self.set_slot(self.to, &["STABLE"])
    }

    fn migrate(&self, from: usize, to: usize, keys: usize) -> Result<bool, Failed> {
        let count = keys.to_string();
        let keys = ask(self.stage, from, &["CLUSTER", "GETKEYSINSLOT", &self.slot, &count])?;
        let keys: Vec<String> = keys.items().iter().map(Reply::text).collect();
        if keys.is_empty() {
            return Ok(false);
        }
        let address = self.stage.servers.node(to)?.direct_address();
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        let mut words = vec!["MIGRATE", &host, &port, "", "0", "10000", "KEYS"];
        words.extend(keys.iter().map(String::as_str));
        ask(self.stage, from, &words)?;
        Ok(true)
    }

    fn set_slot(&self, place: usize, what: &[&str]) -> Result<(), Failed> {
        let mut words = vec!["CLUSTER", "SETSLOT", &self.slot];
        words.extend(what);
        ask(self.stage, place, &words).map(drop)
    }

    fn id(&self, place: usize) -> Result<String, Failed> {
        Ok(ask(self.stage, place, &["CLUSTER", "MYID"])?.text())
    }
}

fn probe(partition: &str) -> String {
    format!("{{{partition}}}probe")
}

fn ask(stage: &Stage, place: usize, words: &[&str]) -> Result<Reply, Failed> {
    Ok(stage.servers.admin(place, words)?.ok()?)
}
