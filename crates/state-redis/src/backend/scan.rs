//! Scanning the nodes of a sweep, step by step.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use redis::Value;
use state_core::{Error, ErrorKind, Key, Outcome, Result, Scope};
use tokio::time::Instant;

use super::Inner;
use super::ask::many;
use super::op::Op;
use super::sweep::{Next, Sweep};
use crate::client::{Body, NodeId, Repeat, Request, Role, Target};
use crate::command::Command;
use crate::connect::pause;
use crate::keys::Kind;
use crate::scripts::{bytes, number, unlike};
use crate::topology::{View, questions};

/// Records that a server looks at for one step of a scan.
pub(super) const SCAN_COUNT: usize = 1_000;
/// How often a listing scans nodes again, over all its pages, before it says that it can not be
/// complete.
const RESCANS_MAX: u32 = 100;
/// The longest pause before nodes are scanned again.
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// The keys of one kind in a scope, to be scanned.
pub(super) struct Scan<'a> {
    pub(super) kind: Kind,
    pub(super) prefix: &'a Bytes,
    pub(super) scope: &'a Scope,
    /// Only names greater than this one; an index only.
    pub(super) after: Option<&'a Bytes>,
    pattern: Bytes,
    pub(super) role: Role,
    pub(super) op: &'a Op,
}

impl Scan<'_> {
    pub(super) fn covers(&self, key: &Key) -> bool {
        key.name().starts_with(self.prefix)
            && self.scope.covers(key.partition())
            && self.after.is_none_or(|after| key.name() > after)
    }
}

impl Inner {
    pub(super) fn scan<'a>(
        &self,
        op: &'a Op,
        kind: Kind,
        prefix: &'a Bytes,
        scope: &'a Scope,
        role: Role,
    ) -> Scan<'a> {
        let pattern = self.keys.pattern(kind, prefix, scope);
        Scan { kind, prefix, scope, after: None, pattern, role, op }
    }

    /// Scans one step; the keys found with what they are stored under. Says that nothing is left by
    /// `sweep.done`.
    pub(super) async fn step(
        &self,
        scan: &Scan<'_>,
        sweep: &mut Sweep,
        count: usize,
    ) -> Result<Vec<(Key, Bytes)>> {
        let stored = self.raw_step(scan, sweep, count).await?;
        let found = stored
            .into_iter()
            .filter_map(|stored| self.keys.read(scan.kind, &stored).map(|key| (key, stored)))
            .filter(|(key, _)| scan.covers(key))
            .collect();
        Ok(found)
    }

    /// As [`step`](Self::step), with whatever matches the pattern.
    pub(super) async fn raw_step(
        &self,
        scan: &Scan<'_>,
        sweep: &mut Sweep,
        count: usize,
    ) -> Result<Vec<Bytes>> {
        let (node, cursor) = match sweep.next(|| self.client.nodes()) {
            Next::Begin(node) => (node, None),
            Next::GoOn(node, cursor) => (node, Some(cursor)),
            // What is rare is kept out of the future of every step.
            Next::Check => {
                return Box::pin(self.check(scan, sweep)).await.map(|()| Vec::new());
            }
        };
        let asked = Instant::now();
        match self.scan_node(scan, sweep, &node, cursor, count).await {
            // Another node may have taken over: the check finds out.
            Err(error) if self.client.can_move() && is_about_the_node(&error) => {
                if self.is_late(scan.op, sweep, asked) {
                    return Err(error);
                }
                tracing::debug!(%error, "a node could not be scanned");
                sweep.skip();
                Ok(Vec::new())
            }
            found => found,
        }
    }

    /// One step on one node; from its beginning, with its view before it, without a cursor.
    async fn scan_node(
        &self,
        scan: &Scan<'_>,
        sweep: &mut Sweep,
        node: &NodeId,
        cursor: Option<u64>,
        count: usize,
    ) -> Result<Vec<Bytes>> {
        let mut command = Command::new("SCAN");
        command.arg(cursor.unwrap_or(0)).arg("MATCH").arg(scan.pattern.as_ref());
        command.arg("COUNT").arg(count);
        let mut commands = Vec::with_capacity(3);
        if cursor.is_none() {
            commands.extend(questions(self.client.is_cluster()));
        }
        commands.push(command);
        let mut replies = self.ask_node(scan.op, node, commands).await?;
        let Some(Value::Array(reply)) = replies.pop() else { return Err(unlike()) };
        let [next, keys] = <[Value; 2]>::try_from(reply).map_err(|_| unlike())?;
        let Value::Array(keys) = keys else { return Err(unlike()) };
        let (keys, next) =
            (keys.into_iter().map(bytes).collect::<Result<_>>()?, number(&bytes(next)?)?);
        if cursor.is_none() {
            sweep.begin(node, &self.read_view(&replies)?);
        }
        sweep.went_on(next);
        // One answer of the only server is a moment, in which nothing moves.
        if cursor.is_none() && next == 0 && !self.client.can_move() {
            sweep.done = true;
        }
        Ok(keys)
    }

    /// Asks all nodes what they hold now, and has scanned again what may have been missed.
    async fn check(&self, scan: &Scan<'_>, sweep: &mut Sweep) -> Result<()> {
        let asked_at = Instant::now();
        let mut nodes: BTreeSet<NodeId> = self.client.nodes().into_iter().collect();
        nodes.extend(sweep.nodes().cloned());
        let asked = nodes.into_iter().map(|node| async {
            let commands = questions(self.client.is_cluster()).into();
            let told = self.ask_node(scan.op, &node, commands).await;
            told.and_then(|replies| self.read_view(&replies)).map(|view| (node, view))
        });
        let (mut views, mut trouble) = (Vec::new(), None);
        for told in join_all(asked).await {
            match told {
                Ok(told) => views.push(told),
                Err(error) if self.client.can_move() && is_about_the_node(&error) => {
                    trouble = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        let primaries = self.client.nodes();
        if !self.client.is_cluster() {
            // What was a primary once and is none now does not count.
            views.retain(|(node, _)| primaries.contains(node));
        }
        let due = sweep.due(&views);
        if due.nodes.is_empty() && !due.changed {
            sweep.done = true;
            return Ok(());
        }
        if self.is_late(scan.op, sweep, asked_at) || sweep.rescans >= RESCANS_MAX {
            return Err(trouble.unwrap_or_else(restless));
        }
        tracing::debug!(nodes = ?due.nodes, changed = due.changed, "keys moved: scanning again");
        if due.changed {
            let exponent = sweep.rescans.min(8);
            pause(PAUSE_MAX.min(Duration::from_millis((1 << exponent) - 1))).await;
            self.client.find_nodes_again().await;
        }
        let mut nodes = due.nodes;
        if nodes.is_empty() {
            nodes = self.client.nodes();
        }
        sweep.again(nodes);
        Ok(())
    }

    /// Asks one node, whether or not the routes lead to it.
    async fn ask_node(&self, op: &Op, node: &NodeId, commands: Vec<Command>) -> Result<Vec<Value>> {
        let known = self.client.nodes().contains(node);
        // A node that slots are just moving to is in no map yet.
        let target = match node.as_str().parse() {
            Ok(address) if !known && self.client.is_cluster() => Target::At(address),
            _ => Target::Node(node.clone()),
        };
        let request = Request::new(op.name(), target, Body::Pipeline(commands));
        let request = request.with_repeat(Repeat::Safe);
        many(self.send(op, request).await?.reply)?.into_iter().collect()
    }

    fn read_view(&self, replies: &[Value]) -> Result<View> {
        let [server, second] = replies else { return Err(unlike()) };
        View::read(self.client.is_cluster(), server, second).ok_or_else(unlike)
    }

    /// Whether the call has to end because something is in its way: when it has no time left, and at the latest when
    /// that has lasted as long as a call may take, from the first time on.
    fn is_late(&self, op: &Op, sweep: &mut Sweep, since: Instant) -> bool {
        let end = *sweep.deadline.get_or_insert(since + self.config.call_timeout());
        op.is_over() || Instant::now() >= end
    }

    /// Scans everything, step by step, and again what moved meanwhile, until nothing does. Each step that was answered
    /// gives the call its time anew.
    pub(super) async fn scan_all<F, Done>(&self, scan: &Scan<'_>, mut visit: F) -> Result<()>
    where
        F: FnMut(Vec<(Key, Bytes)>) -> Done,
        Done: Future<Output = Result<()>>,
    {
        let mut sweep = Sweep::default();
        while !sweep.done {
            let found = self.step(scan, &mut sweep, SCAN_COUNT).await?;
            visit(found).await?;
            self.renew(scan.op);
        }
        Ok(())
    }
}

/// Whether it tells of a node that another one may have replaced.
fn is_about_the_node(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}

fn restless() -> Error {
    let message = "keys keep moving between servers, so that no listing sees all of them";
    Error::new(ErrorKind::Unavailable, message).with_outcome(Outcome::NotApplied)
}
