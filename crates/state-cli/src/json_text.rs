//! JSON as it stands: its parts as they were written, and the same text in lines for people.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// A JSON document, taken apart one level deep; the parts keep their bytes.
#[derive(Debug)]
pub(crate) enum Parts<'a> {
    List(Vec<&'a RawValue>),
    Object(BTreeMap<String, &'a RawValue>),
    /// A text, a number, `true`, `false` or `null`.
    Single,
}

/// Takes a document apart; `None` for what is no JSON.
pub(crate) fn parts(bytes: &[u8]) -> Option<Parts<'_>> {
    let whole: &RawValue = serde_json::from_slice(bytes).ok()?;
    match whole.get().as_bytes().first() {
        Some(b'[') => serde_json::from_str(whole.get()).ok().map(Parts::List),
        Some(b'{') => serde_json::from_str(whole.get()).ok().map(Parts::Object),
        _ => Some(Parts::Single),
    }
}

/// The document on lines of its own, each level two spaces further in.
pub(crate) fn pretty(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let mut level = 0_usize;
    let (mut inside_text, mut escaped) = (false, false);
    let mut chars = json.chars().filter(|c| !c.is_ascii_control()).peekable();
    let line = |text: &mut String, level: usize| {
        text.push('\n');
        (0..level).for_each(|_| text.push_str("  "));
    };
    while let Some(c) = chars.next() {
        if inside_text {
            text.push(c);
            inside_text = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            ' ' => {}
            '"' => {
                inside_text = true;
                text.push(c);
            }
            '[' | '{' => {
                while chars.next_if_eq(&' ').is_some() {}
                text.push(c);
                if let Some(end) = chars.next_if(|next| matches!(next, ']' | '}')) {
                    text.push(end);
                } else {
                    level += 1;
                    line(&mut text, level);
                }
            }
            ']' | '}' => {
                level = level.saturating_sub(1);
                line(&mut text, level);
                text.push(c);
            }
            ',' => {
                text.push(c);
                line(&mut text, level);
            }
            ':' => text.push_str(": "),
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_in_lines_is_the_same_document() {
        let json = r#"{"b":[1,{"x":"a, [b]: \"c\\"},[ ],{}],"a":18446744073709551616}"#;
        let shown = pretty(json);
        let expected = "{\n  \"b\": [\n    1,\n    {\n      \"x\": \"a, [b]: \\\"c\\\\\"\n    },\n    \
                        [],\n    {}\n  ],\n  \"a\": 18446744073709551616\n}";
        assert_eq!(shown, expected);
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&shown), value(json));
        assert_eq!(pretty(&shown), shown);
    }

    #[test]
    fn parts_keep_their_bytes() {
        let Some(Parts::List(items)) = parts(b" [1.50, \"a\"] ") else { panic!("no list") };
        assert_eq!(items.iter().map(|item| item.get()).collect::<Vec<_>>(), ["1.50", "\"a\""]);
        assert!(matches!(parts(b"{\"a\":1}"), Some(Parts::Object(fields)) if fields.len() == 1));
        assert!(matches!(parts(b"7"), Some(Parts::Single)));
        assert!(parts(b"no").is_none());
    }
}
