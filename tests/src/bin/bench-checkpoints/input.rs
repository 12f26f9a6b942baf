//! The conversations that are replayed: those of a file, or made ones of the same shape.

use std::path::Path;

use serde_json::Value;
use state_tests::bench::{Outcome, say};
use state_tests::chat::text;

/// Recorded conversations that are used where they are there.
const RECORDED: &str = "../shared/data/conversations.jsonl";
/// The shape of the made ones: how many there are, how many messages each has, and how long these are.
const THREADS: u64 = 150;
const MESSAGES: u64 = 26;
const MESSAGE_BYTES: [usize; 4] = [120, 300, 600, 1_350];

/// One conversation.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) thread: String,
    /// The JSON of each message.
    pub(crate) messages: Vec<String>,
}

/// All conversations, and how large they are as text.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) conversations: Vec<Conversation>,
    pub(crate) bytes: usize,
}

impl Input {
    /// Reads `path`, or what was recorded, or makes conversations.
    ///
    /// # Errors
    /// A file that cannot be read, and a line of it that is no conversation, by its number.
    pub(crate) fn read(path: Option<&str>) -> Outcome<Self> {
        let recorded = Path::new(RECORDED);
        let (from, conversations) = match path.map(Path::new) {
            Some(path) => (path.display().to_string(), parse(&std::fs::read_to_string(path)?)?),
            None if recorded.is_file() => {
                (recorded.display().to_string(), parse(&std::fs::read_to_string(recorded)?)?)
            }
            None => ("made conversations".to_owned(), (0..THREADS).map(made).collect()),
        };
        let bytes = conversations.iter().flat_map(|one| &one.messages).map(String::len).sum();
        let messages: usize = conversations.iter().map(|one| one.messages.len()).sum();
        let count = conversations.len();
        say(format_args!("{from}: {count} conversations, {messages} messages, {bytes} bytes"));
        Ok(Self { conversations, bytes })
    }
}

fn parse(text: &str) -> Outcome<Vec<Conversation>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            let read = || {
                let object: Value = serde_json::from_str(line).ok()?;
                let thread = object.get("thread")?.as_str()?.to_owned();
                let messages = object.get("messages")?.as_array()?;
                Some(Conversation {
                    thread,
                    messages: messages.iter().map(Value::to_string).collect(),
                })
            };
            read().ok_or_else(|| {
                format!("line {}: no `{{\"thread\", \"messages\"}}`", index + 1).into()
            })
        })
        .collect()
}

fn made(thread: u64) -> Conversation {
    let message = |number: u64| {
        let seed = thread * MESSAGES + number + 1;
        let bytes = MESSAGE_BYTES.get(usize::try_from(seed % 4).unwrap_or(0)).copied();
        let role = if number.is_multiple_of(2) { "user" } else { "assistant" };
        let text = text(seed, bytes.unwrap_or(0));
        format!("{{\"role\":\"{role}\",\"content\":\"{text}\"}}")
    };
    Conversation {
        thread: format!("made-{thread:03}"),
        messages: (0..MESSAGES).map(message).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_conversations_and_a_bad_one_is_named() {
        let good = "{\"thread\":\"a\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"},1]}\n\n";
        let read = parse(good).unwrap();
        assert_eq!(read[0].messages, ["{\"content\":\"x\",\"role\":\"user\"}", "1"]);
        for bad in ["[]", "{\"thread\":1,\"messages\":[]}", "{\"thread\":\"a\"}"] {
            let error = parse(&format!("{good}{bad}")).unwrap_err();
            assert!(error.to_string().starts_with("line 3:"), "{error}");
        }
    }

    #[test]
    fn made_messages_are_json_of_the_sizes_wanted() {
        let one = made(7);
        assert_eq!(one.messages.len(), 26);
        for message in &one.messages {
            serde_json::from_str::<Value>(message).unwrap();
        }
        assert_ne!(one.messages, made(8).messages);
    }
}
