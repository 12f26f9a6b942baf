//! Asking a cluster which node has which slots.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redis::Value;

use super::slots::SLOTS;
use super::{Node, Routes, Shard, Topology};
use crate::command::Command;
use crate::config::Address;
use crate::connect::{Purpose, Trouble, UNLIMITED};
use crate::errors::{Fault, Sent};

/// The most nodes that are asked at once.
const ASKED_MAX: usize = 8;

/// One line of the slot map: a range, and the nodes that serve it, the primary first.
#[derive(Debug, Eq, PartialEq)]
struct Line {
    first: u16,
    last: u16,
    nodes: Vec<Address>,
}

impl Topology {
    /// Asks nodes for the slot map; the first good answer counts.
    pub(super) async fn discover_cluster(&self, seeds: &[Address]) -> Result<Routes, Trouble> {
        let routes = self.routes();
        let mut known: Vec<_> = routes.nodes().cloned().collect();
        for seed in seeds {
            if !known.iter().any(|node| node.address() == seed) {
                known.push(self.node(seed, Purpose::Any));
            }
        }
        let mut asked = FuturesUnordered::new();
        let mut rest = known.iter();
        asked.extend(rest.by_ref().take(ASKED_MAX).map(|node| slot_map(node)));
        let mut trouble = Trouble::from(Fault::NoNode);
        while let Some(answer) = asked.next().await {
            match answer {
                Ok(lines) => return Ok(self.routes_of(lines)),
                Err(error) => {
                    trouble = error;
                    asked.extend(rest.next().map(|node| slot_map(node)));
                }
            }
        }
        Err(trouble)
    }

    fn routes_of(&self, lines: Vec<Line>) -> Routes {
        let mut shards: BTreeMap<Address, (Shard, Vec<(u16, u16)>)> = BTreeMap::new();
        for Line { first, last, nodes } in lines {
            let mut nodes = nodes.into_iter();
            let Some(primary) = nodes.next() else { continue };
            let (_, ranges) = shards.entry(primary.clone()).or_insert_with(|| {
                let replicas = nodes.filter(|_| self.reads_from_replicas());
                let replicas =
                    replicas.map(|address| self.node(&address, Purpose::ClusterReplica)).collect();
                (Shard { primary: self.node(&primary, Purpose::Any), replicas }, Vec::new())
            });
            ranges.push((first, last));
        }
        Routes::cluster(shards.into_values().collect())
    }
}

async fn slot_map(node: &Node) -> Result<Vec<Line>, Trouble> {
    let connection = node.point().connection().await?;
    let mut ask = Command::new("CLUSTER");
    ask.arg("SLOTS");
    let answer = connection.one(&ask, UNLIMITED).await?;
    let answer = answer.extract_error().map_err(|error| Trouble::Redis(error, Sent::No))?;
    let lines = lines_of(&answer, node.address()).ok_or(Fault::Unexpected)?;
    // A node that was just reset knows of no slots; others may.
    if lines.is_empty() { Err(Fault::NoNode.into()) } else { Ok(lines) }
}

/// The lines of an answer to `CLUSTER SLOTS` that `asked` gave; `None` if it is not such an answer.
fn lines_of(answer: &Value, asked: &Address) -> Option<Vec<Line>> {
    let Value::Array(lines) = answer else { return None };
    lines.iter().map(|line| line_of(line, asked)).collect()
}

fn line_of(line: &Value, asked: &Address) -> Option<Line> {
    let Value::Array(fields) = line else { return None };
    let [Value::Int(first), Value::Int(last), nodes @ ..] = fields.as_slice() else { return None };
    let slot = |number: &i64| u16::try_from(*number).ok().filter(|slot| *slot < SLOTS);
    let (first, last) = (slot(first)?, slot(last)?);
    // A replica without an address is left out; a line needs its primary.
    let nodes: Vec<_> = nodes.iter().filter_map(|node| address_of(node, asked)).collect();
    (first <= last && !nodes.is_empty()).then_some(Line { first, last, nodes })
}

fn address_of(node: &Value, asked: &Address) -> Option<Address> {
    let Value::Array(fields) = node else { return None };
    let [host, Value::Int(port), ..] = fields.as_slice() else { return None };
    let host = match host {
        Value::BulkString(host) if !host.is_empty() => std::str::from_utf8(host).ok()?,
        // The node does not know its own address, so it is the one that reached it.
        Value::BulkString(_) | Value::Nil => match asked {
            Address::Tcp { host, .. } => host,
            Address::Unix { .. } => return None,
        },
        _ => return None,
    };
    let port = u16::try_from(*port).ok().filter(|port| *port != 0)?;
    (host != "?").then(|| Address::tcp(host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn node(host: Value, port: i64) -> Value {
        Value::Array(vec![host, Value::Int(port), text("id"), Value::Array(Vec::new())])
    }

    fn line(first: i64, last: i64, nodes: Vec<Value>) -> Value {
        Value::Array([vec![Value::Int(first), Value::Int(last)], nodes].concat())
    }

    #[test]
    fn a_map_names_ranges_and_the_primary_before_its_replicas() {
        let asked = Address::tcp("seed", 7000);
        let answer = Value::Array(vec![
            line(0, 5_460, vec![node(text("10.0.0.1"), 1), node(text("10.0.0.2"), 2)]),
            line(5_461, 16_383, vec![node(Value::Nil, 3), node(text("?"), 4)]),
        ]);
        assert_eq!(
            lines_of(&answer, &asked).unwrap(),
            [
                Line {
                    first: 0,
                    last: 5_460,
                    nodes: vec![Address::tcp("10.0.0.1", 1), Address::tcp("10.0.0.2", 2)],
                },
                Line { first: 5_461, last: 16_383, nodes: vec![Address::tcp("seed", 3)] },
            ]
        );
    }

    #[test]
    fn what_is_no_map_is_refused() {
        let asked = Address::tcp("seed", 7000);
        let good = || vec![node(text("a"), 1)];
        for bad in [
            Value::Nil,
            text("no"),
            Value::Array(vec![Value::Nil]),
            Value::Array(vec![line(0, 16_384, good())]),
            Value::Array(vec![line(-1, 5, good())]),
            Value::Array(vec![line(6, 5, good())]),
            Value::Array(vec![line(0, 5, Vec::new())]),
            Value::Array(vec![line(0, 5, vec![node(text("a"), 0)])]),
            Value::Array(vec![line(0, 5, vec![node(text("a"), 65_536)])]),
        ] {
            assert_eq!(lines_of(&bad, &asked), None, "{bad:?}");
        }
    }
}
