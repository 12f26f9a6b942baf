//! Each guarantee names tests that exist.

use std::path::Path;

use super::{
    markdown,
    tree::{Tree, Violation},
};

pub(crate) const WHAT: &str =
    "each line of docs/GUARANTEES.md names tests as `file::name`, and they exist";

const PAGE: &str = "docs/GUARANTEES.md";

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let Some(text) = tree.text(PAGE) else {
        return vec![Violation::of_file(PAGE, "is missing")];
    };
    let mut violations = Vec::new();
    for (line, content) in markdown::prose(text) {
        let tests: Vec<_> = markdown::code_spans(content).into_iter().filter_map(named).collect();
        if tests.is_empty() && is_row(content) {
            violations.push(Violation::at(PAGE, line, "no test holds this guarantee"));
        }
        for (file, name) in tests {
            if !tree.text(file).is_some_and(|text| has_test(text, name)) {
                let message = format!("there is no test `{name}` in `{file}`");
                violations.push(Violation::at(PAGE, line, message));
            }
        }
    }
    violations
}

/// The file and the name of a test, if `span` is `path/to/file.rs::name`.
fn named(span: &str) -> Option<(&str, &str)> {
    let (file, name) = span.split_once("::")?;
    let is_rust = Path::new(file).extension().is_some_and(|extension| extension == "rs");
    is_rust.then_some((file, name))
}

/// A line of a table that is neither its head nor the rule below that.
fn is_row(content: &str) -> bool {
    let content = content.trim_start();
    content.starts_with('|')
        && !content.starts_with("| guarantee |")
        && !content.starts_with("|---")
}

/// A function of this name, or a text that ends with it: the name of a trial, perhaps behind that of its family.
fn has_test(text: &str, name: &str) -> bool {
    let begins = |before: &str| before.ends_with("fn ") || before.ends_with(['"', ':']);
    let ends = |after: &str| after.starts_with(['(', '"']);
    !name.is_empty()
        && text.match_indices(name).any(|(start, found)| {
            let (before, rest) = text.split_at(start);
            begins(before) && rest.strip_prefix(found).is_some_and(ends)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TESTS: &str = "fn first() {}\nconst X: &str = \"family::second\";\n(\"third_one\", f);";

    fn violations(page: &str) -> usize {
        check(&Tree::of(&[(PAGE, page), ("a/tests/t.rs", TESTS)])).len()
    }

    #[test]
    fn tests_that_exist_are_fine() {
        let page = "| guarantee | held by |\n|---|---|\n| x | `a/tests/t.rs::first`, `a/tests/t.rs::second` |\n\
                    | y | `a/tests/t.rs::third_one` |\n\nsee `Key::new` and `cargo x`\n";
        assert_eq!(violations(page), 0);
    }

    #[test]
    fn tests_that_do_not_exist_are_found() {
        assert_eq!(violations("| x | `a/tests/t.rs::fourth` |\n"), 1);
        assert_eq!(violations("| x | `a/tests/u.rs::first` |\n"), 1);
        // A part of a name is not the name.
        assert_eq!(violations("| x | `a/tests/t.rs::third` |\n"), 1);
        assert_eq!(violations("| x | `a/tests/t.rs::irst` |\n"), 1);
    }

    #[test]
    fn a_line_without_a_test_and_a_missing_page_are_found() {
        assert_eq!(violations("| x | somebody |\n"), 1);
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }
}
