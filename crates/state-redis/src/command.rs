//! One command, packed as it is written to a server (RESP2).
//!
//! It is packed while it is put together, once: shared connections copy it as it is, however often it is sent. The client
//! library, which drives all other connections, is given its arguments one by one.

use std::fmt;

use bytes::Bytes;

use crate::frame::Framed;

/// Room for a name, a key and a little more.
const ROOM_BYTES: usize = 96;
/// The sign of an array or a string, the digits of its length, and the end of the line.
const LINE_BYTES_MAX: usize = 1 + DIGITS_MAX + 2;
const DIGITS_MAX: usize = 20;

/// Commands from this size on are written from where they are.
const SHARED_BYTES: usize = 64 << 10;

#[derive(Clone)]
enum Packed {
    /// Something may still be added.
    Open(Vec<u8>),
    /// Clones share it.
    Shared(Bytes),
}

/// A command and its arguments.
#[derive(Clone)]
pub(crate) struct Command {
    /// Its parts behind each other, each a string with its length.
    packed: Packed,
    parts: usize,
    /// What the parts take without their lengths.
    payload_bytes: usize,
}

impl Command {
    /// The command `name`, without arguments.
    pub(crate) fn new(name: &str) -> Self {
        Self::with_room(name, ROOM_BYTES)
    }

    /// As [`new`](Self::new), with room for `arguments` arguments of `bytes` bytes in all.
    pub(crate) fn with_capacity(name: &str, arguments: usize, bytes: usize) -> Self {
        // Five bytes around each, and the digits of its length.
        Self::with_room(name, name.len() + bytes + 10 * (arguments + 1))
    }

    fn with_room(name: &str, room: usize) -> Self {
        let packed = Packed::Open(Vec::with_capacity(room));
        let mut command = Self { packed, parts: 0, payload_bytes: 0 };
        command.part(&[name.as_bytes()]);
        command
    }

    /// Adds an argument.
    pub(crate) fn arg(&mut self, arg: impl Arg) -> &mut Self {
        arg.add_to(self);
        self
    }

    /// The name and the arguments.
    pub(crate) fn parts(&self) -> Parts<'_> {
        Parts { rest: self.packed() }
    }

    pub(crate) fn name(&self) -> &[u8] {
        self.parts().next().unwrap_or_default()
    }

    /// What the name and the arguments take without what is written around them.
    pub(crate) fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    /// What it takes in a stream, at most.
    pub(crate) fn packed_bytes_max(&self) -> usize {
        LINE_BYTES_MAX + self.packed().len()
    }

    /// Writes it behind what is in `buffer`.
    pub(crate) fn pack(&self, buffer: &mut Vec<u8>) {
        buffer.reserve(self.packed_bytes_max());
        self.pack_head(buffer);
        buffer.extend_from_slice(self.packed());
    }

    /// Writes what stands in front of its parts.
    pub(crate) fn pack_head(&self, buffer: &mut Vec<u8>) {
        line(buffer, b'*', self.parts);
    }

    /// Has a large command written from where it is: nothing more should be added to it.
    pub(crate) fn share(&mut self) {
        if let Packed::Open(packed) = &mut self.packed
            && packed.len() >= SHARED_BYTES
        {
            self.packed = Packed::Shared(std::mem::take(packed).into());
        }
    }

    /// Its parts, where they are written from where they are.
    pub(crate) fn shared(&self) -> Option<&Bytes> {
        match &self.packed {
            Packed::Open(_) => None,
            Packed::Shared(parts) => Some(parts),
        }
    }

    fn packed(&self) -> &[u8] {
        match &self.packed {
            Packed::Open(packed) => packed,
            Packed::Shared(packed) => packed,
        }
    }

    /// Several behind each other, in a buffer of their own.
    pub(crate) fn pack_all(commands: &[Self]) -> Vec<u8> {
        let mut buffer = Vec::with_capacity(commands.iter().map(Self::packed_bytes_max).sum());
        for command in commands {
            command.pack(&mut buffer);
        }
        buffer
    }

    /// The same for the client library.
    pub(crate) fn to_client(&self) -> redis::Cmd {
        let mut command = redis::Cmd::with_capacity(self.parts, self.payload_bytes);
        for part in self.parts() {
            command.arg(part);
        }
        command
    }

    /// Several for the client library.
    pub(crate) fn all_to_client(commands: &[Self]) -> redis::Pipeline {
        let mut pipeline = redis::Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command(command.to_client());
        }
        pipeline
    }

    /// Adds an argument out of pieces.
    fn part(&mut self, pieces: &[&[u8]]) {
        let len = pieces.iter().map(|piece| piece.len()).sum();
        if let Packed::Shared(packed) = &self.packed {
            self.packed = Packed::Open(packed.to_vec());
        }
        if let Packed::Open(packed) = &mut self.packed {
            packed.reserve(LINE_BYTES_MAX + len + 2);
            line(packed, b'$', len);
            for piece in pieces {
                packed.extend_from_slice(piece);
            }
            packed.extend_from_slice(b"\r\n");
        }
        self.parts += 1;
        self.payload_bytes += len;
    }
}

/// Shows what it is and never what it holds.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = String::from_utf8_lossy(self.name());
        f.debug_struct("Command")
            .field("name", &name)
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

/// The parts of a command, its name first.
#[derive(Clone, Debug)]
pub(crate) struct Parts<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|byte| *byte == b'\r')?;
        let digits = self.rest.get(1..end)?.iter();
        let len = digits.fold(0, |len, digit| 10 * len + usize::from(digit.wrapping_sub(b'0')));
        let part = self.rest.get(end + 2..)?.get(..len)?;
        self.rest = self.rest.get(end + 2 + len + 2..).unwrap_or_default();
        Some(part)
    }
}

/// What an argument is made of.
pub(crate) trait Arg {
    fn add_to(self, command: &mut Command);
}

impl Arg for &[u8] {
    fn add_to(self, command: &mut Command) {
        command.part(&[self]);
    }
}

impl Arg for &str {
    fn add_to(self, command: &mut Command) {
        command.part(&[self.as_bytes()]);
    }
}

impl Arg for &Bytes {
    fn add_to(self, command: &mut Command) {
        command.part(&[self]);
    }
}

impl Arg for &Framed<'_> {
    fn add_to(self, command: &mut Command) {
        command.part(&self.pieces());
    }
}

impl<const PIECES: usize> Arg for [&[u8]; PIECES] {
    fn add_to(self, command: &mut Command) {
        command.part(&self);
    }
}

impl Arg for u64 {
    fn add_to(self, command: &mut Command) {
        let mut digits = [0; DIGITS_MAX];
        command.part(&[decimal(self, &mut digits)]);
    }
}

impl Arg for i64 {
    fn add_to(self, command: &mut Command) {
        command.part(&[self.to_string().as_bytes()]);
    }
}

impl Arg for u32 {
    fn add_to(self, command: &mut Command) {
        u64::from(self).add_to(command);
    }
}

impl Arg for usize {
    fn add_to(self, command: &mut Command) {
        (self as u64).add_to(command);
    }
}

/// A sign, a length, and the end of the line.
fn line(buffer: &mut Vec<u8>, sign: u8, len: usize) {
    // By far the most lengths have one digit or two.
    if let (0..100, Ok(short)) = (len, u8::try_from(len)) {
        let (tens, ones) = (b'0' + short / 10, b'0' + short % 10);
        if short < 10 {
            buffer.extend_from_slice(&[sign, ones, b'\r', b'\n']);
        } else {
            buffer.extend_from_slice(&[sign, tens, ones, b'\r', b'\n']);
        }
        return;
    }
    let mut digits = [0; DIGITS_MAX];
    buffer.push(sign);
    buffer.extend_from_slice(decimal(len as u64, &mut digits));
    buffer.extend_from_slice(b"\r\n");
}

/// The digits of a number.
fn decimal(number: u64, digits: &mut [u8; DIGITS_MAX]) -> &[u8] {
    let mut rest = number;
    let mut first = DIGITS_MAX;
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        first = place;
        if rest == 0 {
            break;
        }
    }
    digits.get(first..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(command: &Command) -> Vec<u8> {
        let mut buffer = b"before".to_vec();
        command.pack(&mut buffer);
        buffer.split_off(6)
    }

    #[test]
    fn numbers_are_written_whole() {
        for number in [0, 1, 9, 10, 99, 100, 12_345, u64::MAX] {
            let mut digits = [0; DIGITS_MAX];
            assert_eq!(decimal(number, &mut digits), number.to_string().as_bytes());
        }
    }

    #[test]
    fn nothing_that_it_holds_is_shown() {
        let mut command = Command::new("AUTH");
        command.arg("secret");
        assert_eq!(format!("{command:?}"), "Command { name: \"AUTH\", parts: 2, .. }");
    }

    proptest! {
        #[test]
        fn it_is_what_the_client_library_writes(
            args in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..12),
            number: u64,
        ) {
            let mut ours = Command::new("SOME");
            let mut theirs = redis::cmd("SOME");
            for arg in &args {
                ours.arg(arg.as_slice());
                theirs.arg(arg.as_slice());
            }
            ours.arg(number);
            theirs.arg(number);
            prop_assert_eq!(packed(&ours), theirs.get_packed_command());
            let large = vec![b'x'; SHARED_BYTES];
            for _ in 0..2 {
                ours.arg(large.as_slice()).share();
                theirs.arg(large.as_slice());
                let mut head = Vec::new();
                ours.pack_head(&mut head);
                let whole = [head.as_slice(), ours.shared().unwrap()].concat();
                prop_assert_eq!(whole, theirs.get_packed_command());
            }
            prop_assert_eq!(packed(&ours), theirs.get_packed_command());
            prop_assert_eq!(ours.to_client().get_packed_command(), theirs.get_packed_command());
            prop_assert_eq!(ours.parts().next(), Some(b"SOME".as_slice()));
            prop_assert_eq!(ours.parts().count(), args.len() + 4);
            prop_assert!(packed(&ours).len() <= ours.packed_bytes_max());
            let payload = ours.parts().map(<[u8]>::len).sum::<usize>();
            prop_assert_eq!(ours.payload_bytes(), payload);
        }
    }
}
