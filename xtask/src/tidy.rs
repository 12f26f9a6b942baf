//! `cargo xtask tidy`: the rules of this repository that no other tool knows; each rule has a file of its own.

mod compose;
mod driver_names;
mod generated;
mod guarantees;
mod headers;
mod law;
mod lib_files;
mod links;
mod manifests;
mod markdown;
mod module_names;
mod named_paths;
mod public_driver_types;
mod rust_source;
mod size;
mod tree;
mod words;

use clap::Args;

use crate::{
    doc,
    failure::Failure,
    report::{Verdict, counted},
    workspace,
};

use tree::{Tree, Violation};

/// A rule: a pure function of the files of the repository.
struct Rule {
    name: &'static str,
    what: &'static str,
    check: fn(&Tree) -> Vec<Violation>,
}

const RULES: &[Rule] = &[
    Rule { name: "law", what: law::WHAT, check: law::check },
    Rule { name: "headers", what: headers::WHAT, check: headers::check },
    Rule { name: "manifests", what: manifests::WHAT, check: manifests::check },
    Rule { name: "driver-names", what: driver_names::WHAT, check: driver_names::check },
    Rule {
        name: "public-driver-types",
        what: public_driver_types::WHAT,
        check: public_driver_types::check,
    },
    Rule { name: "lib-files", what: lib_files::WHAT, check: lib_files::check },
    Rule { name: "size", what: size::WHAT, check: size::check },
    Rule { name: "module-names", what: module_names::WHAT, check: module_names::check },
    Rule { name: "named-paths", what: named_paths::WHAT, check: named_paths::check },
    Rule { name: "guarantees", what: guarantees::WHAT, check: guarantees::check },
    Rule { name: "compose", what: compose::WHAT, check: compose::check },
    Rule { name: "links", what: links::WHAT, check: links::check },
    Rule { name: "words", what: words::WHAT, check: words::check },
];

/// Check the rules of this repository; `--list` says which.
///
/// Every violation is printed as `file:line: what is wrong (rule)`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// First write anew what is generated: the dependency table, docs/CONTRACT.md, docs/capabilities.md
    #[arg(long)]
    fix: bool,
    /// Only list the rules
    #[arg(long, conflicts_with = "fix")]
    list: bool,
    /// Check only this rule (may be given several times)
    #[arg(long, value_name = "RULE")]
    only: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.list {
        for rule in RULES {
            println!("{:<22}{}", rule.name, rule.what);
        }
        println!("{:<22}{}", generated::NAME, generated::WHAT);
        return Ok(());
    }
    let known =
        |name: &String| name == generated::NAME || RULES.iter().any(|rule| rule.name == name);
    if let Some(unknown) = arguments.only.iter().find(|name| !known(name)) {
        return Err(Failure::usage(format!(
            "there is no rule `{unknown}`; `cargo xtask tidy --list` shows those that there are"
        )));
    }
    if arguments.fix {
        law::write_table(&workspace::root())?;
        doc::regenerate()?;
    }
    check(|rule| arguments.only.is_empty() || arguments.only.iter().any(|name| name == rule))?;
    println!("tidy: nothing to complain about");
    Ok(())
}

/// All rules, as a step of `cargo xtask ci`.
pub(crate) fn check_all() -> Result<Verdict, Failure> {
    check(|_| true).map(|()| Verdict::Passed(counted(RULES.len() + 1, "rule")))
}

fn check(wanted: impl Fn(&str) -> bool) -> Result<(), Failure> {
    let tree = Tree::read(&workspace::root())?;
    let mut count = 0;
    for rule in RULES.iter().filter(|rule| wanted(rule.name)) {
        for violation in (rule.check)(&tree) {
            count += 1;
            println!("{violation} ({})", rule.name);
        }
    }
    if wanted(generated::NAME)
        && let Some(violation) = generated::check()
    {
        count += 1;
        println!("{violation} ({})", generated::NAME);
    }
    if count == 0 {
        return Ok(());
    }
    let violations = counted(count, "violation");
    Err(Failure::check(format!("{violations} of the rules (`cargo xtask tidy --list`)")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_names_are_unique() {
        let mut names: Vec<_> = RULES.iter().map(|rule| rule.name).collect();
        names.push(generated::NAME);
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    /// So that who only runs the tests learns of it. What is generated takes a build, and is checked by `cargo xtask tidy`.
    #[test]
    fn this_repository_keeps_its_rules() {
        let tree = Tree::read(&workspace::root()).unwrap();
        let broken: Vec<String> = RULES
            .iter()
            .flat_map(|rule| (rule.check)(&tree).into_iter().map(move |it| (it, rule.name)))
            .map(|(violation, rule)| format!("{violation} ({rule})"))
            .collect();
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }

    #[test]
    fn an_empty_repository_has_no_documents_to_hold_the_law() {
        let complaints: Vec<_> =
            RULES.iter().filter(|rule| !(rule.check)(&Tree::default()).is_empty()).collect();
        let names: Vec<_> = complaints.iter().map(|rule| rule.name).collect();
        assert_eq!(names, ["law", "named-paths", "guarantees"]);
    }
}
