//! Decides whether the contract has room for what happened in an episode.

use std::collections::{BTreeMap, HashMap, HashSet};

use state_conformance::linearizability::{Found, Span, search};
use state_core::{Key, OpId, Version, WriteOp, WriteOutcome};

use super::board::id_of;
use super::call::{Reply, Request};
use super::history::{Called, Ended, Event, History, What};
use super::model::{Contract, Part, Step, Tag, World, part_tag};
use super::run::Played;

/// What judging an episode never needs, unless it is far from what the contract has room for.
const CONFIGURATIONS_MAX: usize = 400_000;
/// Tags of calls under an operation id begin here.
const OF_IDS: Tag = 1 << 32;

/// Why an episode is not what the contract has room for, in words.
pub(super) fn judge(played: &Played) -> Result<(), String> {
    if let Some(broken) = &played.broken {
        return Err(broken.clone());
    }
    served(played)?;
    let contract =
        Contract { receipts: receipts(&played.history)?, sent_again: sent_again(&played.history) };
    let (spans, places) = spans(&played.history);
    match search(&contract, World::new(played.start), &spans, CONFIGURATIONS_MAX) {
        Found::Explained => Ok(()),
        Found::Stuck(stuck) => {
            let heads = stuck.heads.iter().filter_map(|head| places.get(*head));
            let heads: Vec<_> = heads.map(u64::to_string).collect();
            let (explained, state) = (stuck.explained, stuck.state);
            Err(format!(
                "{explained} steps can be explained; then, with{state}, none of these can come next: {}",
                heads.join(", ")
            ))
        }
        _ => Err(format!("not judged within {CONFIGURATIONS_MAX} configurations")),
    }
}

/// A store without faults serves, and answers nothing that no contract has room for.
fn served(played: &Played) -> Result<(), String> {
    for (at, reply) in played.history.replies() {
        match reply {
            Reply::Strange(what) => return Err(format!("at {at}: {what}")),
            Reply::Failed | Reply::Unknown if !played.may_fail => {
                return Err(format!("at {at}: not served, and nothing was wrong"));
            }
            _ => {}
        }
    }
    Ok(())
}

impl History {
    fn calls(&self) -> impl Iterator<Item = (u64, &Called)> {
        self.events.iter().filter_map(|event| match &event.what {
            What::Call(called) => Some((event.at, &**called)),
            _ => None,
        })
    }

    fn replies(&self) -> impl Iterator<Item = (u64, &Reply)> {
        let answered = self.calls().filter_map(|(at, called)| match &called.end {
            Ended::Answered(_, replies) => Some((at, replies)),
            _ => None,
        });
        answered.flat_map(|(at, replies)| replies.iter().map(move |reply| (at, reply)))
    }
}

fn sent_again(history: &History) -> HashSet<OpId> {
    let mut sent = HashSet::new();
    let ids = history.calls().filter_map(|(_, called)| id_of(&called.request));
    ids.filter(|id| !sent.insert(*id)).collect()
}

/// The tag of part `number` of the call that began at `at`.
fn tag(at: u64, request: &Request, number: usize) -> Tag {
    let base = id_of(request).map_or(at, |id| {
        let bytes = id.as_bytes().last_chunk().copied().unwrap_or_default();
        OF_IDS | u64::from_be_bytes(bytes)
    });
    part_tag(base, number)
}

/// The versions that receipts show, and whose they are: none may be that of two writes of a key.
fn receipts(history: &History) -> Result<HashMap<(Key, Version), Tag>, String> {
    let mut receipts = HashMap::new();
    for (at, called) in history.calls() {
        let Ended::Answered(_, replies) = &called.end else { continue };
        for (number, (part, reply)) in called.request.parts().iter().zip(replies).enumerate() {
            let tag = tag(at, &called.request, number);
            for (key, version, tag) in shown(part, reply, tag) {
                let of = *receipts.entry((key.clone(), version)).or_insert(tag);
                if of != tag {
                    return Err(format!("at {at}: a version of {key} was given out twice"));
                }
            }
        }
    }
    Ok(receipts)
}

fn shown<'a>(part: &'a Request, reply: &Reply, tag: Tag) -> Vec<(&'a Key, Version, Tag)> {
    let of = |op: &'a WriteOp, receipt: &WriteOutcome, tag| match receipt {
        WriteOutcome::Written(told) => Some((op.key(), told.version, tag)),
        WriteOutcome::Incremented(told) => Some((op.key(), told.version, tag)),
        _ => None,
    };
    match (part, reply) {
        (Request::Write(op), Reply::Receipt(receipt)) => of(op, receipt, tag).into_iter().collect(),
        (Request::Transact(transaction), Reply::Receipts(receipts)) => {
            let pairs = transaction.ops.iter().zip(receipts).enumerate();
            pairs.filter_map(|(place, (op, one))| of(op, one, part_tag(tag, place))).collect()
        }
        _ => Vec::new(),
    }
}

/// The history as it is searched, and the moments at which its calls began.
fn spans(history: &History) -> (Vec<Span<Step>>, Vec<u64>) {
    let (mut spans, mut places) = (Vec::new(), Vec::new());
    for Event { at, what } in &history.events {
        let of_event = match what {
            What::Note(_) => Vec::new(),
            What::Passed(by) => vec![Span::certain(*at, at + 1, vec![Step::Pass(*by)])],
            What::Call(called) => call_spans(*at, called),
        };
        places.extend(of_event.iter().map(|_| *at));
        spans.extend(of_event);
    }
    (spans, places)
}

/// The parts of a call: those of one key follow each other.
fn call_spans(at: u64, called: &Called) -> Vec<Span<Step>> {
    let Called { request, end, .. } = called;
    let replies = match end {
        Ended::Refused => return Vec::new(),
        Ended::Answered(_, replies) => replies.as_slice(),
        Ended::Not | Ended::Lost(_) | Ended::Cut(_) => &[],
    };
    let mut chains: BTreeMap<(Key, bool, usize), Vec<Step>> = BTreeMap::new();
    for (number, part) in request.parts().into_iter().enumerate() {
        let reply = match replies.get(number) {
            Some(Reply::Failed) => continue,
            Some(Reply::Unknown) | None => None,
            Some(reply) => Some(reply.clone()),
        };
        if reply.is_none() && part.is_read() {
            continue;
        }
        let tag = tag(at, request, number);
        let key = key_of(&part);
        // Parts that are known and parts that are not make spans of their own.
        let place = (key, reply.is_some(), usize::from(part.is_read()) * (number + 1));
        chains.entry(place).or_default().push(Step::Part(Box::new(Part {
            request: part,
            reply,
            tag,
        })));
    }
    let spans = chains.into_iter().map(|((_, is_known, _), steps)| match end {
        Ended::Answered(returned, _) if is_known => Span::certain(at, *returned, steps),
        Ended::Cut(until) => Span::open_until(at, *until, steps),
        _ => Span::open(at, steps),
    });
    spans.collect()
}

fn key_of(part: &Request) -> Key {
    match part {
        Request::Write(op) => op.key().clone(),
        Request::Get(key, _) => key.clone(),
        _ => Key::from("whole"),
    }
}
