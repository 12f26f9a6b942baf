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

/// A function of this name with an attribute that makes it a test, one that makes trials, one that is a clause or a part of
/// the crash tests, or a trial of this name, perhaps behind that of its family.
fn has_test(text: &str, name: &str) -> bool {
    let places = || text.match_indices(name).filter(|_| !name.is_empty());
    places().any(|(start, found)| {
        let (before, rest) = text.split_at(start);
        let Some(after) = rest.strip_prefix(found) else { return false };
        let line = before.rsplit('\n').next().unwrap_or_default();
        if line.trim_start().starts_with("//") {
            return false;
        }
        let function = before.ends_with("fn ") && after.starts_with(['(', '<']);
        let trial = before.ends_with(['"', ':']) && after.starts_with('"');
        (function && (is_test(before) || is_run(after)))
            || (trial && text.contains("libtest_mimic") && opens_a_name(line))
    })
}

/// Whether the function that begins at the end of `before` has an attribute of a test.
fn is_test(before: &str) -> bool {
    let above = before.lines().rev().skip(1).map(str::trim);
    let attributes = above.take_while(|line| line.starts_with("#[") || line.starts_with("///"));
    attributes.into_iter().any(|line| {
        let name = line.trim_start_matches("#[").split(['(', ']']).next().unwrap_or_default();
        name == "test" || name.ends_with("::test")
    })
}

/// Whether the signature that goes on with `after` is that of a function that makes trials, of a clause, which takes its context
/// alone, or of a part of the crash tests, which counts its checks.
fn is_run(after: &str) -> bool {
    let signature = after.split('{').next().unwrap_or_default();
    let arguments = signature.trim_start_matches('(').trim_start();
    signature.contains("-> Vec<Trial>")
        || signature.trim_end() == "(cx: Context)"
        || arguments.starts_with("checks: &Checks")
}

/// Whether a line goes on with the name of a trial: as the first item of a tuple or of a call, or as a name that is used below.
fn opens_a_name(line: &str) -> bool {
    let Some((before, family)) = line.rsplit_once('"') else { return false };
    let is_family = family.chars().all(|each| each.is_alphanumeric() || "_:{}".contains(each));
    let before = before.trim_end();
    let names =
        before.strip_suffix(" =").and_then(|before| before.trim_start().strip_prefix("let "));
    is_family && (before.is_empty() || before.ends_with(['(', '[', ',']) || names.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TESTS: &str = "#[tokio::test(flavor = \"multi_thread\")]\n/// Says why.\nasync fn first() {}\n\
                         fn helper() {}\nfn all() -> Vec<Trial> {}\nfn clause(cx: Context) {}\nfn helper_of(cx: Context, more: u8) {}\n\
                         fn part(\n    checks: &Checks,\n) {}\nuse libtest_mimic::Trial;\n// (\"fifth\", f)\n\
                         let name = \"family::second\";\n    (\"third_one\", f);\nconst X: &str = \"sixth\";\n";

    fn violations(page: &str) -> usize {
        check(&Tree::of(&[(PAGE, page), ("a/tests/t.rs", TESTS)])).len()
    }

    #[test]
    fn tests_that_exist_are_fine() {
        let page = "| guarantee | held by |\n|---|---|\n| x | `a/tests/t.rs::first`, `a/tests/t.rs::second` |\n\
                    | y | `a/tests/t.rs::third_one`, `a/tests/t.rs::all` |\n\
                    | z | `a/tests/t.rs::clause`, `a/tests/t.rs::part` |\n\nsee `Key::new` and `cargo x`\n";
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
    fn what_is_no_test_does_not_count_as_one() {
        for name in ["helper", "helper_of", "fifth", "sixth"] {
            assert_eq!(violations(&format!("| x | `a/tests/t.rs::{name}` |\n")), 1, "{name}");
        }
    }

    #[test]
    fn a_line_without_a_test_and_a_missing_page_are_found() {
        assert_eq!(violations("| x | somebody |\n"), 1);
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }
}
