//! All clauses, by family, in the order of `docs/CONTRACT.md`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a clause reports a broken backend by panicking; the runner catches it"
)]

mod batch;
mod cancel;
mod cas;
mod ckpt;
mod codec;
mod evict;
mod fence;
mod hash;
mod kv;
mod lease;
mod limits;
mod list;
mod model;
mod race;
mod snap;
mod ttl;
mod txn;
mod watch;

pub use ckpt::{OfficialTest, official_tests};

use crate::{Clause, Family};

/// The families, in reading order.
const FAMILIES: &[Family] = &[
    kv::FAMILY,
    cas::FAMILY,
    ttl::FAMILY,
    batch::FAMILY,
    txn::FAMILY,
    list::FAMILY,
    lease::FAMILY,
    fence::FAMILY,
    watch::FAMILY,
    hash::FAMILY,
    snap::FAMILY,
    codec::FAMILY,
    limits::FAMILY,
    evict::FAMILY,
    cancel::FAMILY,
    race::FAMILY,
    model::FAMILY,
    ckpt::FAMILY,
];

/// The families of the contract, in reading order.
pub fn families() -> &'static [Family] {
    FAMILIES
}

/// All clauses of the contract, in reading order.
pub fn all() -> impl Iterator<Item = &'static Clause> {
    FAMILIES.iter().flat_map(|family| family.clauses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_unique_and_begin_with_their_family() {
        let mut seen = BTreeSet::new();
        for family in families() {
            for clause in family.clauses {
                assert_eq!(clause.family(), family.name, "{}", clause.id);
                assert!(seen.insert(clause.id), "{} is there twice", clause.id);
            }
        }
    }

    #[test]
    fn each_rule_is_one_sentence_that_no_other_clause_has() {
        let mut seen = BTreeSet::new();
        for clause in all() {
            let sentence = clause.sentence;
            assert!(sentence.ends_with('.') && !sentence.contains(". "), "{}", clause.id);
            assert!(seen.insert(sentence), "the sentence of {} is there twice", clause.id);
        }
    }

    #[test]
    fn a_clause_is_gated_one_way_only() {
        for clause in all() {
            let both = clause.needs.iter().any(|needed| clause.unless.contains(needed));
            assert!(!both, "{} can never apply", clause.id);
        }
    }
}
