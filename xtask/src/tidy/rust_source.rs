//! Looks at Rust source as tokens: what is code is told apart from comments, text and tests.

use std::{collections::BTreeSet, str::FromStr};

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};

/// The lines, counted from 1, that hold code: neither comments nor blank, nor anything under `#[cfg(test)]`.
///
/// `None` if the text is not Rust; the compiler will say more about it.
pub(crate) fn code_lines(text: &str) -> Option<BTreeSet<usize>> {
    let mut lines = BTreeSet::new();
    collect_lines(TokenStream::from_str(text).ok()?, &mut lines);
    Some(lines)
}

/// The lines in which `name::` is written as the beginning of a path, outside of comments and text.
pub(crate) fn lines_with_root(text: &str, name: &str) -> Option<BTreeSet<usize>> {
    let mut lines = BTreeSet::new();
    collect_roots(TokenStream::from_str(text).ok()?, name, &mut lines);
    Some(lines)
}

fn collect_lines(stream: TokenStream, lines: &mut BTreeSet<usize>) {
    let mut tokens = stream.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if is_punct(&token, '#') {
            // `#![…]`
            tokens.next_if(|token| is_punct(token, '!'));
            let Some(TokenTree::Group(attribute)) = tokens.peek() else { continue };
            if is_doc(attribute) {
                tokens.next();
                continue;
            }
            if is_cfg_test(attribute) {
                tokens.next();
                skip_item(&mut tokens);
                continue;
            }
        }
        match token {
            TokenTree::Group(group) => {
                insert(group.span_open(), lines);
                insert(group.span_close(), lines);
                collect_lines(group.stream(), lines);
            }
            other => insert(other.span(), lines),
        }
    }
}

/// An item ends with its first `{…}` or `;`.
fn skip_item(tokens: &mut impl Iterator<Item = TokenTree>) {
    for token in tokens {
        let ends = match &token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            other => is_punct(other, ';'),
        };
        if ends {
            return;
        }
    }
}

fn insert(span: Span, lines: &mut BTreeSet<usize>) {
    lines.extend(span.start().line..=span.end().line);
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn is_doc(attribute: &Group) -> bool {
    matches!(attribute.stream().into_iter().next(), Some(TokenTree::Ident(name)) if name == "doc")
}

fn is_cfg_test(attribute: &Group) -> bool {
    let text: String =
        attribute.stream().to_string().chars().filter(|part| !part.is_whitespace()).collect();
    text == "cfg(test)"
}

fn collect_roots(stream: TokenStream, name: &str, lines: &mut BTreeSet<usize>) {
    // Whether the token before is the second half of `::`, then the name is not the root of its path.
    let mut colons = 0;
    let mut tokens = stream.into_iter();
    while let Some(token) = tokens.next() {
        let inner = colons >= 2;
        colons = if is_punct(&token, ':') { colons + 1 } else { 0 };
        match token {
            TokenTree::Group(group) => collect_roots(group.stream(), name, lines),
            TokenTree::Ident(ident) if ident == name && !inner => {
                let next: Vec<_> = tokens.clone().take(2).collect();
                if next.len() == 2 && next.iter().all(|next| is_punct(next, ':')) {
                    lines.insert(ident.span().start().line);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_blank_lines_and_tests_are_not_code() {
        let text = "//! Header.\n\n/// Doc.\nfn a() {\n    // why\n    b();\n}\n\n#[cfg(test)]\nmod tests {\n    fn t() {}\n}\n\
                    #[cfg(test)]\nuse x::y;\nconst C: &str = \"two\nlines\";\n";
        let lines: Vec<_> = code_lines(text).unwrap().into_iter().collect();
        assert_eq!(lines, [4, 6, 7, 15, 16]);
    }

    #[test]
    fn other_attributes_are_code() {
        let lines = code_lines("#[derive(Debug)]\n#[cfg(feature = \"x\")]\nstruct A;\n").unwrap();
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn a_root_is_found_in_code_only() {
        let text = "// redis::A\n/// redis::B\nfn f(c: redis::C) -> crate::redis::D {\n    m!(redis::E);\n    \
                    let t = \"redis::F\";\n    redis: G\n}\n";
        let lines: Vec<_> = lines_with_root(text, "redis").unwrap().into_iter().collect();
        assert_eq!(lines, [3, 4]);
    }

    #[test]
    fn text_that_is_not_rust_is_left_to_the_compiler() {
        assert_eq!(code_lines("fn ("), None);
    }
}
