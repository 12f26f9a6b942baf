//! One direction of a connection: reads, counts, applies the fault, writes.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::frames::{Frame, Scanner};
use super::link::{Link, PIECE_BYTES};
use super::shared::Shared;
use super::{Cut, Fault};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Requests,
    Replies,
}

/// How a direction came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The sender closed in order.
    OfStream,
    /// An error, a cut, or bytes that were lost on purpose.
    Broken,
}

/// One direction of a link.
pub(super) struct Flow<'a> {
    link: &'a Link,
    id: u64,
    shared: &'a Shared,
    direction: Direction,
    /// `None` once the stream turned out not to be RESP.
    scanner: Option<Scanner>,
    /// Bytes that came and were not passed on: the beginning of a frame that is to be cut, perhaps.
    kept: Vec<u8>,
}

impl<'a> Flow<'a> {
    pub(super) fn requests(link: &'a Link, id: u64, shared: &'a Shared) -> Self {
        Self::new(link, id, shared, Direction::Requests)
    }

    pub(super) fn replies(link: &'a Link, id: u64, shared: &'a Shared) -> Self {
        Self::new(link, id, shared, Direction::Replies)
    }

    fn new(link: &'a Link, id: u64, shared: &'a Shared, direction: Direction) -> Self {
        Self { link, id, shared, direction, scanner: Some(Scanner::default()), kept: Vec::new() }
    }

    /// Carries bytes until the sender ends, or the link does.
    pub(super) fn carry(&mut self, mut from: &TcpStream, to: &TcpStream) -> End {
        let mut buffer = vec![0; PIECE_BYTES];
        loop {
            let count = match from.read(&mut buffer) {
                Ok(0) => return End::OfStream,
                Ok(count) => count,
                Err(_) => return End::Broken,
            };
            if self.link.has_ended() {
                return End::Broken;
            }
            let piece = buffer.get(..count).unwrap_or_default();
            if self.is_swallowed() {
                if self.direction == Direction::Requests {
                    return End::Broken;
                }
                continue;
            }
            if !self.take(piece, to) {
                return End::Broken;
            }
        }
    }

    /// Whether the piece that just came is lost; then the link is silent for good.
    fn is_swallowed(&self) -> bool {
        if matches!(self.shared.fault(), Fault::BlackHole) {
            self.link.fall_silent();
        }
        self.link.is_silent()
    }

    /// Says whether the direction goes on.
    fn take(&mut self, piece: &[u8], to: &TcpStream) -> bool {
        if self.direction == Direction::Requests {
            self.shared.add_bytes(self.id, piece.len(), 0);
        }
        let frames = self.scan(piece);
        self.kept.extend_from_slice(piece);
        if let Some((place, cut)) = self.note(&frames) {
            let pass = bytes_before_cut(&frames, place, cut);
            let passing: Vec<u8> = self.kept.drain(..pass).collect();
            self.pass_on(&passing, to);
            self.link.end(cut.ending);
            self.shared.cut_is_done();
            return false;
        }
        let keeps_tail =
            self.scanner.is_some() && self.shared.needs_whole(self.direction == Direction::Replies);
        let pass = match frames.last() {
            _ if !keeps_tail => self.kept.len(),
            Some(last) => last.end,
            None => 0,
        };
        let passing: Vec<u8> = self.kept.drain(..pass).collect();
        passing.is_empty() || self.pass_on(&passing, to)
    }

    /// The frames that end in this piece, with their ends counted from the first byte that is kept.
    fn scan(&mut self, piece: &[u8]) -> Vec<Frame> {
        if self.direction == Direction::Replies && !self.shared.has_replies(self.id) {
            self.scanner = None;
        }
        let Some(scanner) = &mut self.scanner else { return Vec::new() };
        let Ok(mut frames) = scanner.feed(piece) else {
            self.scanner = None;
            return Vec::new();
        };
        for frame in &mut frames {
            frame.end += self.kept.len();
        }
        frames
    }

    fn note(&self, frames: &[Frame]) -> Option<(usize, Cut)> {
        match self.direction {
            Direction::Requests => self.shared.note_requests(self.id, frames),
            Direction::Replies => self.shared.note_replies(self.id, frames),
        }
    }

    /// Writes, as the fault in force has it; says whether it could.
    fn pass_on(&self, bytes: &[u8], mut to: &TcpStream) -> bool {
        self.shared.wait_while_holding();
        let fault = self.shared.fault();
        if let Fault::Delay(duration) = fault {
            self.shared.pause(duration);
        }
        if self.link.has_ended() || self.is_swallowed() {
            return false;
        }
        if self.direction == Direction::Replies {
            self.shared.add_bytes(self.id, 0, bytes.len());
        }
        if let Fault::Chunks(size) = fault {
            for chunk in bytes.chunks(size.get()) {
                if to.write_all(chunk).is_err() {
                    return false;
                }
                // Gives the reader a chance to see the pieces one by one.
                std::thread::yield_now();
            }
            return true;
        }
        to.write_all(bytes).is_ok()
    }
}

fn bytes_before_cut(frames: &[Frame], place: usize, cut: Cut) -> usize {
    let end_of = |place: usize| frames.get(place).map_or(0, |frame| frame.end);
    let start = place.checked_sub(1).map_or(0, end_of);
    start + cut.moment.bytes_passing(end_of(place) - start)
}
