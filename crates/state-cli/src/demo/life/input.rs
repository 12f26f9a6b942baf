//! The conversations that are replayed: a file of JSON lines, read one line at a time.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;
use state_core::checkpoint::{CheckpointLimits, ThreadId};

use crate::failure::Failure;
use crate::json_lines::{self, JsonLines};

/// The sample, which is part of the program.
const SAMPLE: &str = include_str!("../../../../../docs/samples/conversations.jsonl");
/// A line becomes the state of a thread, and with it one payload: it must stay below its limit.
const LINE_BYTES_MAX: usize = 24 << 20;

/// Where the conversations are.
#[derive(Clone, Debug)]
pub(super) enum Input {
    Sample,
    File(PathBuf),
}

/// What the whole input holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) threads: u64,
    pub(super) messages: u64,
    /// Of the messages, as they are written.
    pub(super) bytes: u64,
}

/// One conversation.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) thread: ThreadId,
    pub(super) messages: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    thread: Cow<'a, str>,
    messages: Vec<Box<RawValue>>,
}

impl Input {
    pub(super) fn new(file: Option<&Path>) -> Self {
        file.map_or(Self::Sample, |file| Self::File(file.to_owned()))
    }

    /// What a person calls it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Sample => "a sample".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// The conversations in their order; after a failure, nothing more is to be read.
    pub(super) fn read(&self) -> Result<Conversations, Failure> {
        let lines = match self {
            Self::Sample => {
                JsonLines::new(SAMPLE.as_bytes(), Path::new("the sample"), LINE_BYTES_MAX)
            }
            Self::File(path) => {
                let file = File::open(path);
                let file = file.map_err(|error| Failure::file("reading", path, &error))?;
                JsonLines::new(file, path, LINE_BYTES_MAX)
            }
        };
        Ok(Conversations { lines })
    }

    /// Reads everything once, so that what cannot work is said before anything is made.
    pub(super) fn survey(&self, limits: &CheckpointLimits) -> Result<Totals, Failure> {
        let mut totals = Totals::default();
        let mut names = HashSet::new();
        let mut all = self.read()?;
        while let Some(conversation) = all.next()? {
            let line = all.lines.line();
            limits.check_thread(&conversation.thread).map_err(|error| {
                Failure::from(error).with_next(format!("mend the thread's name in line {line}"))
            })?;
            if !names.insert(conversation.thread.clone()) {
                return Err(at(line, "names a thread that was there before"));
            }
            totals.threads += 1;
            totals.messages += conversation.messages.len() as u64;
            totals.bytes += conversation.bytes();
        }
        if totals.threads == 0 {
            return Err(Failure::usage(
                format!("there is no conversation in {}", self.name()),
                SHAPE,
            ));
        }
        Ok(totals)
    }
}

/// The conversations of an input, one after the other.
pub(super) struct Conversations {
    lines: JsonLines,
}

impl Conversations {
    /// The next conversation.
    pub(super) fn next(&mut self) -> Result<Option<Conversation>, Failure> {
        let Some(line) = self.lines.next()? else { return Ok(None) };
        let number = self.lines.line();
        let document: Document<'_> = serde_json::from_slice(&line)
            .map_err(|error| at(number, &json_lines::explain(&error, "conversation")))?;
        if document.messages.is_empty() {
            return Err(at(number, "has no messages"));
        }
        let thread = ThreadId::new(&document.thread);
        Ok(Some(Conversation { thread, messages: document.messages }))
    }
}

/// What a line must be.
const SHAPE: &str = "write one conversation per line: {\"thread\":\"NAME\",\"messages\":[{\"role\":\"user\",\
     \"content\":\"…\"},…]}";

fn at(line: u64, what: &str) -> Failure {
    Failure::usage(format!("line {line} {what}"), SHAPE)
}

/// What the demonstration looks at in a message.
#[derive(Debug, Default, Deserialize)]
pub(super) struct About {
    #[serde(default)]
    pub(super) role: String,
    #[serde(default)]
    tool_calls: Option<Vec<Call>>,
    #[serde(default)]
    tool_call_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Call {
    id: String,
}

impl Conversation {
    /// The bytes of its messages.
    pub(super) fn bytes(&self) -> u64 {
        self.messages.iter().map(|message| message.get().len() as u64).sum()
    }

    /// The state after each message, which grows step by step.
    pub(super) fn states(&self) -> States<'_> {
        States { messages: self.messages.iter(), list: vec![b'['], open_calls: Vec::new() }
    }
}

/// The states of a conversation, one per message.
pub(super) struct States<'a> {
    messages: std::slice::Iter<'a, Box<RawValue>>,
    list: Vec<u8>,
    open_calls: Vec<String>,
}

/// The state after a message.
#[derive(Debug)]
pub(super) struct State<'a> {
    pub(super) message: &'a RawValue,
    pub(super) about: About,
    /// All messages so far, as a JSON list.
    pub(super) messages: Vec<u8>,
    /// The calls of tools that await their answer, as a JSON list of their ids.
    pub(super) open_calls: Vec<u8>,
}

impl<'a> States<'a> {
    pub(super) fn next(&mut self) -> Option<State<'a>> {
        let message: &RawValue = self.messages.next()?;
        if self.list.len() > 1 {
            self.list.push(b',');
        }
        self.list.extend_from_slice(message.get().as_bytes());
        // What is not shaped as chat messages are is replayed as it stands.
        let about: About = serde_json::from_str(message.get()).unwrap_or_default();
        if let Some(answered) = &about.tool_call_id {
            self.open_calls.retain(|open| open != answered);
        }
        let asked = about.tool_calls.iter().flatten();
        self.open_calls.extend(asked.map(|call| call.id.clone()));
        let messages = [&self.list[..], b"]"].concat();
        let open_calls = serde_json::Value::from(self.open_calls.clone()).to_string().into();
        Some(State { message, about, messages, open_calls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(text: &str) -> Result<Totals, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.jsonl");
        std::fs::write(&path, text).unwrap();
        Input::File(path).survey(&CheckpointLimits::DEFAULT)
    }

    #[test]
    fn the_sample_is_sound() {
        let totals = Input::Sample.survey(&CheckpointLimits::DEFAULT).unwrap();
        assert!(totals.threads >= 4 && (30..=60).contains(&totals.messages), "{totals:?}");
    }

    #[test]
    fn what_is_no_conversation_is_named_by_its_line() {
        let good = r#"{"thread":"a","messages":[{"role":"user"}],"more":1}"#;
        assert_eq!(survey(&format!("{good}\n\n")).unwrap().messages, 1);
        for (line, said) in [
            ("{", "is no JSON"),
            ("[]", "is no conversation"),
            (r#"{"thread":"b"}"#, "is no conversation"),
            (r#"{"thread":"b","messages":[]}"#, "has no messages"),
            (good, "names a thread"),
        ] {
            let failure = survey(&format!("{good}\n{line}\n")).unwrap_err().to_string();
            assert!(failure.contains(&format!("line 2 {said}")), "{line}: {failure}");
        }
        let failure = survey(r#"{"thread":"","messages":[1]}"#).unwrap_err().to_string();
        assert!(failure.contains("line 1") && failure.contains("empty"), "{failure}");
        assert!(survey("").unwrap_err().to_string().contains("no conversation"));
    }

    #[test]
    fn states_grow_message_by_message() {
        let call = r#"{"role":"assistant","tool_calls":[{"id":"c1"}]}"#;
        let answer = r#"{"role":"tool","tool_call_id":"c1"}"#;
        let messages = [call, answer, "7"].map(|text| RawValue::from_string(text.into()).unwrap());
        let conversation = Conversation { thread: "t".into(), messages: messages.into() };
        let mut states = conversation.states();
        let first = states.next().unwrap();
        assert_eq!(
            (first.open_calls, first.about.role),
            (b"[\"c1\"]".to_vec(), "assistant".into())
        );
        assert_eq!(states.next().unwrap().open_calls, b"[]");
        assert_eq!(states.next().unwrap().messages, format!("[{call},{answer},7]").into_bytes());
        assert!(states.next().is_none());
    }
}
