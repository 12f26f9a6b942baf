//! Which clause stands for which test of the official conformance suite for checkpoint savers.

/// A test of `langgraph-checkpoint-conformance`, and the clause that holds a store to the same.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OfficialTest {
    /// The capability that the test belongs to.
    pub capability: &'static str,
    /// The name of the test, without `test_` and the capability in front.
    pub name: &'static str,
    /// The id of the clause.
    pub clause: &'static str,
}

/// The tests of the official suite, by capability, in its order.
pub fn official_tests() -> impl Iterator<Item = OfficialTest> {
    TESTS.iter().map(|(capability, name, clause)| OfficialTest { capability, name, clause })
}

const TESTS: &[(&str, &str, &str)] = &[
    ("put", "returns_config", "ckpt.put.receipt"),
    ("put", "roundtrip", "ckpt.put.roundtrip"),
    ("put", "preserves_channel_values", "ckpt.put.values"),
    ("put", "preserves_channel_versions", "ckpt.put.versions"),
    ("put", "preserves_versions_seen", "ckpt.put.seen.nodes"),
    ("put", "preserves_metadata", "ckpt.put.metadata"),
    ("put", "root_namespace", "ckpt.put.namespace.root"),
    ("put", "child_namespace", "ckpt.put.namespace.child"),
    ("put", "default_namespace", "ckpt.put.namespace.default"),
    ("put", "multiple_checkpoints_same_thread", "ckpt.put.many"),
    ("put", "multiple_threads_isolated", "ckpt.put.threads"),
    ("put", "parent_config", "ckpt.put.parent"),
    ("put", "incremental_channel_update", "ckpt.put.changed-only"),
    ("put", "new_channel_added", "ckpt.put.new-channel"),
    ("put", "channel_removed", "ckpt.put.removed-channel"),
    ("put", "preserves_run_id", "ckpt.put.metadata.run-id"),
    ("put", "preserves_versions_seen_values", "ckpt.put.seen.versions"),
    ("put_writes", "basic", "ckpt.writes.basic"),
    ("put_writes", "multiple_writes_same_task", "ckpt.writes.same-task"),
    ("put_writes", "multiple_tasks", "ckpt.writes.tasks"),
    ("put_writes", "preserves_task_id", "ckpt.writes.task-id"),
    ("put_writes", "preserves_channel_and_value", "ckpt.writes.value"),
    ("put_writes", "task_path", "ckpt.writes.task-path"),
    ("put_writes", "idempotent", "ckpt.writes.again"),
    ("put_writes", "special_channels", "ckpt.writes.special"),
    ("put_writes", "across_namespaces", "ckpt.writes.namespaces"),
    ("put_writes", "cleared_on_next_checkpoint", "ckpt.writes.next"),
    ("get_tuple", "nonexistent_returns_none", "ckpt.get.absent"),
    ("get_tuple", "latest_when_no_checkpoint_id", "ckpt.get.latest"),
    ("get_tuple", "specific_checkpoint_id", "ckpt.get.by-id"),
    ("get_tuple", "config_structure", "ckpt.get.reference"),
    ("get_tuple", "checkpoint_fields", "ckpt.get.fields"),
    ("get_tuple", "metadata", "ckpt.get.metadata"),
    ("get_tuple", "parent_config", "ckpt.get.parent"),
    ("get_tuple", "pending_writes", "ckpt.get.writes"),
    ("get_tuple", "respects_namespace", "ckpt.get.namespace"),
    ("get_tuple", "nonexistent_checkpoint_id", "ckpt.get.absent-id"),
    ("list", "all", "ckpt.list.all"),
    ("list", "by_thread", "ckpt.list.by-thread"),
    ("list", "by_namespace", "ckpt.list.by-namespace"),
    ("list", "ordering", "ckpt.list.order"),
    ("list", "metadata_filter_single_key", "ckpt.list.filter.one"),
    ("list", "metadata_filter_step", "ckpt.list.filter.step"),
    ("list", "metadata_filter_multiple_keys", "ckpt.list.filter.many"),
    ("list", "metadata_filter_no_match", "ckpt.list.filter.none"),
    ("list", "metadata_custom_keys", "ckpt.list.filter.custom"),
    ("list", "before", "ckpt.list.before"),
    ("list", "limit", "ckpt.list.limit"),
    ("list", "limit_plus_before", "ckpt.list.limit.before"),
    ("list", "combined_thread_and_filter", "ckpt.list.thread-and-filter"),
    ("list", "empty_result", "ckpt.list.empty"),
    ("list", "includes_pending_writes", "ckpt.list.writes"),
    ("list", "multiple_namespaces", "ckpt.list.root"),
    ("delete_thread", "removes_checkpoints", "ckpt.delete.checkpoints"),
    ("delete_thread", "removes_writes", "ckpt.delete.writes"),
    ("delete_thread", "removes_all_namespaces", "ckpt.delete.namespaces"),
    ("delete_thread", "preserves_other_threads", "ckpt.delete.other-threads"),
    ("delete_thread", "nonexistent_noop", "ckpt.delete.nothing"),
    ("delete_for_runs", "single", "ckpt.runs.single"),
    ("delete_for_runs", "multiple", "ckpt.runs.multiple"),
    ("delete_for_runs", "preserves_other_runs", "ckpt.runs.others"),
    ("delete_for_runs", "removes_writes", "ckpt.runs.writes"),
    ("delete_for_runs", "empty_list_noop", "ckpt.runs.none"),
    ("delete_for_runs", "nonexistent_noop", "ckpt.runs.unknown"),
    ("delete_for_runs", "across_namespaces", "ckpt.runs.namespaces"),
    ("copy_thread", "basic", "ckpt.copy.basic"),
    ("copy_thread", "all_checkpoints", "ckpt.copy.all"),
    ("copy_thread", "preserves_metadata", "ckpt.copy.metadata"),
    ("copy_thread", "preserves_namespaces", "ckpt.copy.namespaces"),
    ("copy_thread", "preserves_writes", "ckpt.copy.writes"),
    ("copy_thread", "preserves_ordering", "ckpt.copy.order"),
    ("copy_thread", "source_unchanged", "ckpt.copy.source"),
    ("copy_thread", "nonexistent_source", "ckpt.copy.nothing"),
    ("prune", "keep_latest_single_thread", "ckpt.prune.latest"),
    ("prune", "keep_latest_multiple_threads", "ckpt.prune.latest.threads"),
    ("prune", "keep_latest_across_namespaces", "ckpt.prune.latest.namespaces"),
    ("prune", "keep_latest_preserves_writes", "ckpt.prune.latest.writes"),
    ("prune", "delete_all", "ckpt.prune.delete"),
    ("prune", "preserves_other_threads", "ckpt.prune.other-threads"),
    ("prune", "empty_list_noop", "ckpt.prune.none"),
    ("prune", "nonexistent_noop", "ckpt.prune.unknown"),
    ("delta_channel_history", "returns_writes_oldest_first", "ckpt.history.oldest-first"),
    ("delta_channel_history", "seed_is_nearest_snapshot", "ckpt.history.nearest-seed"),
    ("delta_channel_history", "excludes_target_pending_writes", "ckpt.history.not-its-own"),
    ("delta_channel_history", "multi_channel", "ckpt.history.channels"),
    ("delta_channel_history", "empty_channels_returns_empty", "ckpt.history.no-channels"),
    ("delta_channel_history", "walk_to_root_no_seed", "ckpt.history.root"),
    ("delta_channel_history", "migration_plain_value_as_seed", "ckpt.history.plain-seed"),
    ("delta_channel_history", "seed_ancestor_own_writes_are_replayed", "ckpt.history.beside-seed"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SubjectKind;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn each_of_the_89_official_tests_has_a_clause_of_its_own() {
        let mut counts = BTreeMap::new();
        let (mut tests, mut clauses) = (BTreeSet::new(), BTreeSet::new());
        for test in official_tests() {
            *counts.entry(test.capability).or_insert(0) += 1;
            assert!(tests.insert((test.capability, test.name)), "{test:?} is there twice");
            assert!(clauses.insert(test.clause), "{test:?} shares its clause");
            let clause = crate::all().find(|clause| clause.id == test.clause);
            let about = clause.map(|clause| clause.run.subject());
            assert_eq!(about, Some(SubjectKind::Checkpointer), "{test:?} has no clause");
        }
        let wanted = [
            ("copy_thread", 8),
            ("delete_for_runs", 7),
            ("delete_thread", 5),
            ("delta_channel_history", 8),
            ("get_tuple", 10),
            ("list", 16),
            ("prune", 8),
            ("put", 17),
            ("put_writes", 10),
        ];
        assert_eq!(counts, BTreeMap::from(wanted));
        assert_eq!(tests.len(), 89);
    }
}
