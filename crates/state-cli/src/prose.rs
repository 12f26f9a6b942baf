//! How wide lines may be, and prose that keeps to it.

use std::io::IsTerminal;

/// The width of lines that do not go to a terminal, in columns.
const PIPED_WIDTH: usize = 80;
/// Prose in longer lines is hard to read, in columns.
const PROSE_WIDTH_MAX: usize = 100;

/// How many columns a line may have: what the variable `COLUMNS` says, else the width of the terminal, else 80.
pub(crate) fn width() -> usize {
    let asked = std::env::var("COLUMNS").ok();
    choose(asked.as_deref(), comfy_table::Table::new().width().map(usize::from))
}

fn choose(asked: Option<&str>, terminal: Option<usize>) -> usize {
    let asked = asked.and_then(|text| text.trim().parse().ok()).filter(|width| *width > 0);
    asked.or(terminal.filter(|_| std::io::stdout().is_terminal())).unwrap_or(PIPED_WIDTH)
}

/// The same for prose, which is never wider than can be read.
pub(crate) fn prose_width() -> usize {
    width().min(PROSE_WIDTH_MAX)
}

/// `text` in lines of at most `width` columns, broken at spaces alone. Each line of `text` keeps its indentation, and what
/// is broken off from it gets the same.
pub(crate) fn wrap(text: &str, width: usize) -> String {
    let lines: Vec<String> = text.lines().map(|line| wrap_line(line, width)).collect();
    lines.join("\n")
}

fn wrap_line(line: &str, width: usize) -> String {
    let indentation: String = line.chars().take_while(|c| *c == ' ').collect();
    let mut wrapped = String::with_capacity(line.len());
    let mut column = 0;
    for word in line.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            wrapped.push('\n');
            column = 0;
        }
        if column == 0 {
            wrapped.push_str(&indentation);
            column = indentation.len();
        } else {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_comes_first_and_a_pipe_has_80_columns() {
        assert_eq!(choose(Some("120"), None), 120);
        assert_eq!(choose(Some("40"), Some(200)), 40);
        for nothing in [None, Some(""), Some("0"), Some("wide"), Some("-1")] {
            assert_eq!(choose(nothing, None), 80, "{nothing:?}");
        }
    }

    #[test]
    fn lines_break_at_spaces_and_keep_their_indentation() {
        assert_eq!(wrap("  one two three\n\nfour", 9), "  one two\n  three\n\nfour");
        assert_eq!(wrap("a-word-that-is-too-long b", 5), "a-word-that-is-too-long\nb");
        assert_eq!(wrap("exactly ten", 11), "exactly ten");
    }
}
