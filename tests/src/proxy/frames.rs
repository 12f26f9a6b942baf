//! Finds where one RESP command or reply ends and the next begins, in a stream that comes in pieces.

/// The words of a command that are kept: enough for `CLIENT SETNAME sentinel-…`.
const WORDS_MAX: usize = 3;
/// How much of a word is kept, in bytes.
const WORD_BYTES_MAX: usize = 64;
/// The longest header or inline command that is believed to be RESP, in bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// One whole command or reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Where it ends in the piece that was fed last.
    pub(super) end: usize,
    /// Whether it is a push message, which answers no command.
    pub(super) is_push: bool,
    /// Its first words, in capitals if it is a command.
    pub(super) words: Vec<String>,
}

/// The stream is not RESP: TLS, for example.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotResp;

/// Reads a stream in pieces.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// How many elements each open aggregate still lacks, the innermost last.
    open: Vec<u64>,
    line: Vec<u8>,
    body: Option<Body>,
    is_push: bool,
    words: Vec<String>,
}

/// The body of a bulk string.
#[derive(Debug)]
struct Body {
    /// Bytes still to come, with the line end.
    missing: u64,
    word: Vec<u8>,
}

impl Scanner {
    /// Takes in the next piece; returns the frames that end in it.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<Vec<Frame>, NotResp> {
        let mut frames = Vec::new();
        let mut place = 0;
        while let Some(rest) = piece.get(place..).filter(|rest| !rest.is_empty()) {
            let (taken, whole) = match self.body.take() {
                Some(body) => self.take_body(body, rest),
                None => self.take_line(rest)?,
            };
            place += taken;
            if whole && self.element_done() {
                let words = std::mem::take(&mut self.words);
                frames.push(Frame { end: place, is_push: self.is_push, words });
                self.is_push = false;
            }
        }
        Ok(frames)
    }

    fn take_body(&mut self, mut body: Body, rest: &[u8]) -> (usize, bool) {
        let taken = rest.len().min(usize::try_from(body.missing).unwrap_or(usize::MAX));
        let room = WORD_BYTES_MAX.saturating_sub(body.word.len());
        body.word.extend(rest.iter().take(taken.min(room)));
        body.missing -= taken as u64;
        if body.missing > 0 {
            self.body = Some(body);
            return (taken, false);
        }
        self.keep_word(String::from_utf8_lossy(&body.word).trim_end());
        (taken, true)
    }

    fn take_line(&mut self, rest: &[u8]) -> Result<(usize, bool), NotResp> {
        if self.line.is_empty() && !rest.first().is_some_and(|first| can_begin(*first)) {
            return Err(NotResp);
        }
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            self.line.extend(rest);
            return if self.line.len() > LINE_BYTES_MAX {
                Err(NotResp)
            } else {
                Ok((rest.len(), false))
            };
        };
        self.line.extend(rest.iter().take(end + 1));
        let line = std::mem::take(&mut self.line);
        Ok((end + 1, self.take_header(&line)?))
    }

    /// Takes in a whole line; says whether an element is complete with it.
    fn take_header(&mut self, line: &[u8]) -> Result<bool, NotResp> {
        let text = std::str::from_utf8(line).map_err(|_| NotResp)?.trim_end();
        let Some(kind) = text.chars().next() else { return Ok(false) };
        let rest = text.get(kind.len_utf8()..).unwrap_or_default();
        match kind {
            '+' | '-' | ':' | '_' | ',' | '#' | '(' => Ok(true),
            '$' | '=' | '!' => {
                let length: i64 = rest.parse().map_err(|_| NotResp)?;
                // Minus one stands for nothing at all.
                let Ok(length) = u64::try_from(length) else { return Ok(true) };
                self.body = Some(Body { missing: length + 2, word: Vec::new() });
                Ok(false)
            }
            '*' | '~' | '>' | '%' | '|' => {
                let count: i64 = rest.parse().map_err(|_| NotResp)?;
                let count = u64::try_from(count).unwrap_or(0);
                let elements = match kind {
                    '%' => count * 2,
                    // An attribute belongs to the element that follows it.
                    '|' => count * 2 + 1,
                    _ => count,
                };
                self.is_push |= kind == '>' && self.open.is_empty();
                if elements == 0 {
                    return Ok(true);
                }
                self.open.push(elements);
                Ok(false)
            }
            _ if self.open.is_empty() && kind.is_ascii_alphabetic() => {
                for word in text.split_whitespace().take(WORDS_MAX) {
                    self.keep_word(word);
                }
                Ok(true)
            }
            _ => Err(NotResp),
        }
    }

    /// Counts one element as complete; says whether the whole frame is.
    fn element_done(&mut self) -> bool {
        while let Some(missing) = self.open.last_mut() {
            *missing -= 1;
            if *missing > 0 {
                return false;
            }
            self.open.pop();
        }
        true
    }

    fn keep_word(&mut self, word: &str) {
        if self.words.len() < WORDS_MAX {
            self.words.push(word.to_ascii_uppercase());
        }
    }
}

/// Whether RESP has lines that begin like this; an inline command begins with a letter.
fn can_begin(first: u8) -> bool {
    b"+-:_,#($=!*~>%|\r\n".contains(&first) || first.is_ascii_alphabetic()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"*2\r\n$3\r\nget\r\n$1\r\nk\r\nPING\r\n*1\r\n$4\r\nROLE\r\n";

    #[test]
    fn commands_are_found_however_the_stream_is_cut() {
        for size in 1..=STREAM.len() {
            let mut scanner = Scanner::default();
            let mut found = Vec::new();
            let mut base = 0;
            for piece in STREAM.chunks(size) {
                for frame in scanner.feed(piece).unwrap() {
                    found.push((base + frame.end, frame.words));
                }
                base += piece.len();
            }
            let ends: Vec<_> = found.iter().map(|(end, words)| (*end, words[0].as_str())).collect();
            assert_eq!(ends, [(20, "GET"), (26, "PING"), (40, "ROLE")], "pieces of {size}");
        }
    }

    #[test]
    fn replies_of_both_protocols_are_found() {
        let replies: [&[u8]; 10] = [
            b"+OK\r\n",
            b"$-1\r\n",
            b"*-1\r\n",
            b"$0\r\n\r\n",
            b"*2\r\n*1\r\n:1\r\n$2\r\n\r\n\r\n",
            b"%1\r\n+a\r\n*0\r\n",
            b"_\r\n",
            b"|1\r\n+ttl\r\n:3\r\n$1\r\nx\r\n",
            b"=6\r\ntxt:ab\r\n",
            b"-ERR no\r\n",
        ];
        let stream = replies.concat();
        let frames = Scanner::default().feed(&stream).unwrap();
        let mut end = 0;
        let ends: Vec<_> = replies
            .iter()
            .map(|reply| {
                end += reply.len();
                end
            })
            .collect();
        assert_eq!(frames.iter().map(|frame| frame.end).collect::<Vec<_>>(), ends);
    }

    #[test]
    fn a_push_message_is_told_from_a_reply() {
        let frames = Scanner::default().feed(b">2\r\n+invalidate\r\n*0\r\n+OK\r\n").unwrap();
        assert_eq!(frames.iter().map(|frame| frame.is_push).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn what_is_not_resp_is_noticed() {
        assert_eq!(Scanner::default().feed(b"\x16\x03\x01"), Err(NotResp));
        assert_eq!(Scanner::default().feed(&vec![b'a'; LINE_BYTES_MAX + 1]), Err(NotResp));
    }
}
