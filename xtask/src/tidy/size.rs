//! Files stay short enough to be read in one sitting.

use super::{
    rust_source,
    tree::{Tree, Violation},
};

pub(crate) const WHAT: &str =
    "no Rust file has more than 500 lines of code (comments, blank lines and `#[cfg(test)]` aside)";

const MOST_LINES: usize = 500;

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in tree.texts(".rs") {
        let lines = rust_source::code_lines(text).unwrap_or_default().len();
        if lines > MOST_LINES {
            let message = format!("{lines} lines of code, {MOST_LINES} are allowed; split it");
            violations.push(Violation::of_file(path, message));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(text: &str) -> usize {
        check(&Tree::of(&[("a.rs", text)])).len()
    }

    #[test]
    fn one_line_too_many_is_found() {
        assert_eq!(violations(&"const A: u8 = 1;\n".repeat(MOST_LINES)), 0);
        assert_eq!(violations(&"const A: u8 = 1;\n".repeat(MOST_LINES + 1)), 1);
    }

    #[test]
    fn comments_and_tests_do_not_count() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(MOST_LINES));
        assert_eq!(violations(&format!("{}{tests}", "// why\n\n".repeat(MOST_LINES))), 0);
    }
}
