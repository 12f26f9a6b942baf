//! Putting the streams of all buckets together, in an order that every reader finds again.
//!
//! Events are told by the time that they bear. All streams are read in rounds, and what one round
//! brought is told after the next, because another stream may have been read just before something
//! that happened earlier. A clear is noted in several streams and told once, when it has been
//! reached in all of them: so it is told behind every change of any key that it came after.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use state_core::{Change, WatchEvent, WatchOptions};
use tokio::time::Instant;

use super::position::write_token;
use super::{Deadlines, Entry, Logged, Position};
use crate::watch::meets;

/// How long a clear may be noted in some streams and not in the others, before a gap is told.
const CLEAR_PATIENCE: Duration = Duration::from_secs(2);
/// Clears that were told or given up, and may turn up once more.
const CLEARS_MAX: usize = 1_024;
/// Events of one stream that wait for those of others; more are not read.
const BUFFERED_MAX: usize = 4_096;

/// What is read of the streams, and what is to be told.
#[derive(Debug)]
pub(crate) struct Merge {
    options: WatchOptions,
    streams: Vec<Stream>,
    clears: Vec<Clear>,
    /// Clears that are over, and whether they were told; otherwise a gap was.
    over: VecDeque<(u64, bool)>,
    round: u64,
    /// How many events were told with the positions of now.
    same: u32,
    pub(crate) ready: VecDeque<WatchEvent>,
    pub(crate) deadlines: Deadlines,
}

/// One stream.
#[derive(Debug)]
struct Stream {
    /// Behind what was told of it.
    position: Position,
    /// Behind what was read of it; `None` before its oldest entry.
    read: Option<Position>,
    buffered: VecDeque<(u64, Entry)>,
    /// Whether the last reading may have left something.
    full: bool,
    /// Where a reader that does not follow stops.
    stop: Position,
}

/// A clear that has been reached in some streams and not yet in all.
#[derive(Debug)]
struct Clear {
    id: u64,
    change: Change,
    /// In how many streams it has to be reached.
    streams: usize,
    /// Where it is the next entry.
    at: BTreeSet<usize>,
    /// Where it was lost with a part of the log, which is told as a gap.
    lost: usize,
    since: Instant,
}

impl Merge {
    /// Reads from `starts` on; `None` for the oldest entry. `ends` is where the streams end now.
    pub(crate) fn new(
        options: WatchOptions,
        starts: Vec<Option<Position>>,
        ends: &[Position],
    ) -> Self {
        let streams = starts.into_iter().zip(ends).map(|(read, stop)| Stream {
            position: read.unwrap_or(Position { number: 0, nonce: 0, ..*stop }),
            read,
            buffered: VecDeque::new(),
            full: false,
            stop: *stop,
        });
        Self {
            options,
            streams: streams.collect(),
            clears: Vec::new(),
            over: VecDeque::new(),
            round: 0,
            same: 0,
            ready: VecDeque::new(),
            deadlines: Deadlines::default(),
        }
    }

    /// The streams to read in this round, and from where on: the entry there is read again, so that
    /// what follows is known to follow.
    pub(crate) fn wanted(&mut self) -> Vec<(usize, Option<Position>)> {
        self.round += 1;
        let wanted = self.streams.iter().enumerate();
        let wanted = wanted.filter(|(_, stream)| stream.buffered.len() < BUFFERED_MAX);
        wanted.map(|(place, stream)| (place, stream.read)).collect()
    }

    /// Takes in what was read of a stream; whether there was anything new. `full` says that there
    /// may be more. Where entries are missing, a gap is told, and what came before it no more: it is
    /// part of what has to be read anew.
    pub(crate) fn take_in(&mut self, place: usize, entries: Vec<Entry>, full: bool) -> bool {
        let round = self.round;
        let Some(stream) = self.streams.get_mut(place) else { return false };
        stream.full = full;
        let (mut lost, mut news) = (entries.is_empty() && stream.read.is_some(), false);
        if entries.is_empty() {
            stream.read = None;
        }
        for entry in entries {
            match stream.read {
                Some(read) if read == entry.position => continue,
                Some(read) if read.is_followed_by(entry.position) => {}
                read => {
                    lost |= read.is_some();
                    stream.buffered.clear();
                    stream.position = entry.position.before();
                }
            }
            stream.read = Some(entry.position);
            stream.buffered.push_back((round, entry));
            news = true;
        }
        if lost {
            for clear in &mut self.clears {
                clear.lost += usize::from(clear.at.remove(&place));
            }
            self.tell_gap();
        }
        news
    }

    /// Tells what can be told after a round, which brought something new or did not.
    pub(crate) fn tell(&mut self, news: bool, now: Instant) {
        let limit = self.limit(news);
        while let Some(place) = self.next(limit) {
            self.step(place, now);
        }
        if !news {
            self.give_up(now);
        }
    }

    /// Whether a reader that does not follow has come to its end.
    pub(crate) fn is_finished(&self) -> bool {
        self.clears.is_empty() && self.streams.iter().all(Stream::is_finished)
    }

    /// Tells something that is in no stream.
    pub(crate) fn tell_beside(&mut self, change: Change) {
        let positions = self.streams.iter().map(|stream| stream.position);
        self.same += 1;
        self.ready.push_back(WatchEvent::new(write_token(positions, self.same), change));
    }

    fn tell_gap(&mut self) {
        // Who has not read one gap yet learns nothing from another.
        if let Some(last) = self.ready.back_mut().filter(|last| last.change == Change::Gap) {
            let positions = self.streams.iter().map(|stream| stream.position);
            last.token = write_token(positions, self.same);
        } else {
            self.tell_beside(Change::Gap);
        }
    }

    /// The time up to which no stream has anything that was not read.
    fn limit(&self, news: bool) -> u64 {
        let waiting = self.streams.iter().flat_map(|stream| &stream.buffered);
        let earlier = waiting.filter(|(round, _)| *round < self.round);
        let limit =
            if news { earlier.map(|(_, entry)| entry.at_us).max().unwrap_or(0) } else { u64::MAX };
        let streams = self.streams.iter().enumerate();
        let full = streams.filter(|(place, stream)| stream.full && !self.is_held(*place));
        let ends = full.filter_map(|(_, stream)| stream.buffered.back());
        ends.map(|(_, entry)| entry.at_us).min().unwrap_or(u64::MAX).min(limit)
    }

    fn is_held(&self, place: usize) -> bool {
        self.clears.iter().any(|clear| clear.at.contains(&place))
    }

    /// The stream with the earliest event.
    fn next(&self, limit: u64) -> Option<usize> {
        let streams = self.streams.iter().enumerate().filter(|(place, stream)| {
            // To reach a clear everywhere, it goes on even where it should stop.
            let stops = !self.options.follow && self.clears.is_empty() && stream.is_finished();
            !stops && !self.is_held(*place)
        });
        let heads = streams.filter_map(|(place, stream)| {
            stream.buffered.front().map(|(_, entry)| (entry.at_us, place))
        });
        heads.min().filter(|(at_us, _)| *at_us <= limit).map(|(_, place)| place)
    }

    fn step(&mut self, place: usize, now: Instant) {
        let head = self.streams.get(place).and_then(|stream| stream.buffered.front());
        let Some(logged) = head.map(|(_, entry)| entry.logged.clone()) else { return };
        match logged {
            Logged::Nothing => self.pass(place),
            Logged::Change(change) => {
                self.pass(place);
                self.tell_change(change);
            }
            Logged::Cleared { id, buckets, change } => {
                if let Some((_, told)) = self.over.iter().find(|(over, _)| *over == id) {
                    let told = *told;
                    self.pass(place);
                    if !told {
                        self.tell_gap();
                    }
                    return;
                }
                self.reach(place, id, buckets, change, now);
            }
        }
    }

    /// A clear is the next entry of a stream.
    fn reach(&mut self, place: usize, id: u64, buckets: usize, change: Change, now: Instant) {
        let streams = buckets.min(self.streams.len());
        let known = self.clears.iter().position(|clear| clear.id == id);
        let index = known.unwrap_or_else(|| {
            let at = BTreeSet::new();
            self.clears.push(Clear { id, change, streams, at, lost: 0, since: now });
            self.clears.len() - 1
        });
        let Some(clear) = self.clears.get_mut(index) else { return };
        clear.at.insert(place);
        if clear.at.len() + clear.lost < clear.streams {
            return;
        }
        let clear = self.clears.swap_remove(index);
        self.finish(&clear, true);
        self.tell_change(clear.change);
    }

    /// Clears that were not noted everywhere become gaps: their writer has failed, or what it noted
    /// is no longer kept.
    fn give_up(&mut self, now: Instant) {
        let is_late = |clear: &Clear| now.saturating_duration_since(clear.since) >= CLEAR_PATIENCE;
        while let Some(late) = self.clears.iter().position(is_late) {
            let clear = self.clears.swap_remove(late);
            self.finish(&clear, false);
            self.tell_gap();
        }
    }

    fn finish(&mut self, clear: &Clear, told: bool) {
        for place in &clear.at {
            self.pass(*place);
        }
        self.over.push_back((clear.id, told));
        if self.over.len() > CLEARS_MAX {
            self.over.pop_front();
        }
    }

    /// Goes behind the next entry of a stream.
    fn pass(&mut self, place: usize) {
        if let Some(stream) = self.streams.get_mut(place)
            && let Some((_, entry)) = stream.buffered.pop_front()
        {
            stream.position = entry.position;
            self.same = 0;
        }
    }

    fn tell_change(&mut self, change: Change) {
        let covered = match &change {
            Change::Cleared { prefix, scope } => meets(&self.options, prefix, scope),
            other => other.key().is_none_or(|key| self.options.covers(key)),
        };
        if !covered {
            return;
        }
        if self.options.follow {
            self.deadlines.note(&change);
        }
        let positions = self.streams.iter().map(|stream| stream.position);
        self.ready.push_back(WatchEvent::new(write_token(positions, self.same), change));
    }
}

impl Stream {
    fn is_finished(&self) -> bool {
        self.position.generation != self.stop.generation || self.position.number >= self.stop.number
    }
}

#[cfg(test)]
mod tests;
