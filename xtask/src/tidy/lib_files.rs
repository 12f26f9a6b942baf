//! A `lib.rs` is a table of contents: documentation, modules and re-exports, no logic.

use proc_macro2::Span;
use syn::{Attribute, Item, spanned::Spanned};

use super::tree::{Tree, Violation};

pub(crate) const WHAT: &str = "lib.rs holds documentation, `mod`, `use` and short macros, no logic";

/// A list written as a macro may be this long.
const MACRO_LINES: usize = 30;

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in tree.texts("/lib.rs") {
        let Ok(file) = syn::parse_file(text) else { continue };
        for item in &file.items {
            if let Some((span, what)) = logic(item) {
                let message = format!("{what} does not belong in lib.rs; move it to a module");
                violations.push(Violation::at(path, span.start().line, message));
            }
        }
    }
    violations
}

/// What kind of logic an item is, if it is any.
fn logic(item: &Item) -> Option<(Span, &'static str)> {
    let span = item.span();
    match item {
        Item::Use(_) | Item::ExternCrate(_) => None,
        Item::Mod(module) => module.content.is_some().then_some((span, "the body of a module")),
        Item::Macro(_) => {
            let lines = span.end().line - span.start().line + 1;
            (lines > MACRO_LINES).then_some((span, "a long macro"))
        }
        // Carries the examples of the README into the doc tests.
        Item::Struct(item) if item.attrs.iter().any(is_cfg_doctest) => None,
        Item::Fn(_) => Some((span, "a function")),
        Item::Impl(_) => Some((span, "an implementation")),
        Item::Struct(_) | Item::Enum(_) | Item::Trait(_) | Item::Type(_) => Some((span, "a type")),
        _ => Some((span, "this item")),
    }
}

fn is_cfg_doctest(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<syn::Ident>().is_ok_and(|name| name == "doctest")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(text: &str) -> usize {
        check(&Tree::of(&[("crates/a/src/lib.rs", text)])).len()
    }

    #[test]
    fn a_table_of_contents_is_fine() {
        let text = "//! A crate.\n#![cfg_attr(docsrs, feature(doc_cfg))]\nmod key;\n#[cfg(feature = \"x\")]\npub mod x;\n\
                    pub use key::Key;\nextern crate alloc;\nlist! { a, b }\n\
                    #[cfg(doctest)]\n#[doc = include_str!(\"../README.md\")]\nstruct Readme;\n";
        assert_eq!(violations(text), 0);
    }

    #[test]
    fn logic_is_found() {
        for text in [
            "pub fn f() {}",
            "pub struct A;",
            "pub trait T {}",
            "pub type A = u8;",
            "impl A {}",
            "pub const A: u8 = 1;",
            "mod a { fn f() {} }",
            "#[cfg(test)]\nmod tests { fn f() {} }",
        ] {
            assert_eq!(violations(text), 1, "{text}");
        }
        let long = format!("macro_rules! m {{ () => {{\n{}}} }}", "f();\n".repeat(MACRO_LINES));
        assert_eq!(violations(&long), 1);
    }

    #[test]
    fn other_files_may_hold_logic() {
        assert_eq!(check(&Tree::of(&[("crates/a/src/key.rs", "fn f() {}")])), []);
    }
}
