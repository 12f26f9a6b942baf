//! The clauses of the family `ckpt`: threads of checkpoints.

mod acks;
mod copy;
mod delete;
mod get;
mod history;
mod life;
mod limits;
mod list;
mod names;
mod official;
mod owner;
mod pages;
mod prune;
mod put;
mod race;
mod runs;
mod stage;
mod store;
mod watch;
mod writes;

pub use official::{OfficialTest, official_tests};

clauses! { checkpointers "ckpt": "threads of checkpoints, for everything that keeps them";
    /// The receipt of a put names thread, namespace and id of the checkpoint, and says that it was not there before.
    MUST "ckpt.put.receipt" => put::receipt;
    /// A checkpoint is read as it was put.
    MUST "ckpt.put.roundtrip" => put::roundtrip;
    /// Channel values of every kind and every byte come back as they were put.
    MUST "ckpt.put.values" => put::values;
    /// The version of each channel comes back, also of one without a value.
    MUST "ckpt.put.versions" => put::versions;
    /// Each node of `versions_seen` comes back, also one that has seen nothing.
    MUST "ckpt.put.seen.nodes" => put::seen_nodes;
    /// The versions that each node has seen come back.
    MUST "ckpt.put.seen.versions" => put::seen_versions;
    /// Source, step, parents and custom values of metadata come back.
    MUST "ckpt.put.metadata" => put::metadata;
    /// The run id in metadata comes back.
    MUST "ckpt.put.metadata.run-id" => put::run_id;
    /// Metadata of every kind, nested and under every name, comes back as the kind that it was.
    MUST "ckpt.put.metadata.kinds" => put::metadata_kinds;
    /// Time, updated channels and body of a checkpoint come back, and no updated channels are not the same as an empty list of them.
    MUST "ckpt.put.fields" => put::fields;
    /// A checkpoint is kept in the root namespace.
    MUST "ckpt.put.namespace.root" => put::root_namespace;
    /// A checkpoint is kept in a namespace of its own.
    MUST "ckpt.put.namespace.child" => put::child_namespace;
    /// A put that names no namespace puts into the root.
    MUST "ckpt.put.namespace.default" => put::default_namespace;
    /// Every checkpoint of a thread can be read, in any order.
    MUST "ckpt.put.many" => put::many;
    /// Checkpoints of one id in several threads know nothing of each other.
    MUST "ckpt.put.threads" => put::threads;
    /// The parent of a checkpoint comes back.
    MUST "ckpt.put.parent" => put::parent;
    /// A parent need not exist where nobody asks for it.
    MUST "ckpt.put.parent.absent" => put::parent_absent;
    /// A put carries only the channels that changed, and the others are read at the versions that the checkpoint names.
    MUST "ckpt.put.changed-only" => put::changed_only;
    /// A channel that a later checkpoint adds is in that one and not in those before.
    MUST "ckpt.put.new-channel" => put::new_channel;
    /// A channel that a checkpoint does not name is absent from its values, and is there again where it is named again.
    MUST "ckpt.put.removed-channel" => put::removed_channel;
    /// Versions may be whole numbers, floating-point numbers or texts, and come back as what they were.
    MUST "ckpt.put.version-kinds" => put::version_kinds;
    /// Versions of different kinds are different versions, whatever they look like.
    MUST "ckpt.put.version-kinds.apart" => put::version_kinds_apart;
    /// A channel is read at the version that the checkpoint names, whichever checkpoint of the namespace brought it.
    MUST "ckpt.put.older-version" => put::older_version;
    /// A channel whose version was never put is not among the values.
    MUST "ckpt.put.never-put" => put::never_put;
    /// A version without a value comes back as empty, which neither an absent channel nor an empty payload is.
    MUST "ckpt.put.empty" => put::empty;
    /// Megabytes in a body and in values, and hundreds of channels, come back as they were put.
    MUST "ckpt.put.large" => put::large;
    /// A channel that grows, shrinks and is changed in its midst is read whole at every step.
    MUST "ckpt.put.growing" => put::growing;
    /// The latest checkpoint is the one with the greatest id, not the last one written.
    MUST "ckpt.put.out-of-order" => put::out_of_order;
    /// A put that is sent again says that the checkpoint was there, and changes nothing.
    MUST "ckpt.put.again" => put::again;
    /// Another checkpoint under the id of one that is there is refused with `Conflict` and changes nothing.
    MUST "ckpt.put.again.other" => put::again_other;
    /// The same checkpoint with another value is refused with `Conflict` and changes nothing.
    MUST "ckpt.put.again.other-value" => put::again_other_value;

    /// A write is read with the checkpoint that it was put beside.
    MUST "ckpt.writes.basic" => writes::basic;
    /// Several writes of one task are kept.
    MUST "ckpt.writes.same-task" => writes::same_task;
    /// Writes of several tasks are kept apart.
    MUST "ckpt.writes.tasks" => writes::tasks;
    /// The task of a write comes back.
    MUST "ckpt.writes.task-id" => writes::task_id;
    /// Channel and value of a write come back.
    MUST "ckpt.writes.value" => writes::value;
    /// The task path of a write comes back.
    MUST "ckpt.writes.task-path" => writes::task_path;
    /// Writes that are sent again are there once, and the receipt says that they were kept.
    MUST "ckpt.writes.again" => writes::again;
    /// Special writes are kept beside each other.
    MUST "ckpt.writes.special" => writes::special;
    /// Writes beside checkpoints of one id in several namespaces know nothing of each other.
    MUST "ckpt.writes.namespaces" => writes::namespaces;
    /// A new checkpoint begins without writes, and those beside its parent stay there.
    MUST "ckpt.writes.next" => writes::next;
    /// Writes are read by task path, task and index, whatever the order in which they came.
    MUST "ckpt.writes.order" => writes::order;
    /// Of regular writes of one task and index the first stays.
    MUST "ckpt.writes.first-wins" => writes::first_wins;
    /// Of special writes of one task and index the last stays.
    MUST "ckpt.writes.special.last-wins" => writes::special_last_wins;
    /// Which write stays is decided for each write of a call by itself, and the receipt counts what became of them.
    MUST "ckpt.writes.mixed" => writes::mixed;
    /// Writes that came before the put of their checkpoint are read with it.
    MUST "ckpt.writes.before-put" => writes::before_put;
    /// Writes do not make a checkpoint, and do not hide the one that is the latest.
    MUST "ckpt.writes.before-put.no-checkpoint" => writes::before_put_no_checkpoint;

    /// A thread that is not there has no latest checkpoint.
    MUST "ckpt.get.absent" => get::absent;
    /// A read that names no checkpoint answers the latest.
    MUST "ckpt.get.latest" => get::latest;
    /// A read that names a checkpoint answers that one.
    MUST "ckpt.get.by-id" => get::by_id;
    /// What is read says in which thread and namespace and under which id it is.
    MUST "ckpt.get.reference" => get::reference;
    /// What is read holds every field of the checkpoint.
    MUST "ckpt.get.fields" => get::fields;
    /// What is read holds the metadata of that checkpoint.
    MUST "ckpt.get.metadata" => get::metadata;
    /// What is read names its parent, and none where there was none.
    MUST "ckpt.get.parent" => get::parent;
    /// What is read holds the writes beside that checkpoint, and no others.
    MUST "ckpt.get.writes" => get::writes;
    /// A read sees one namespace and no other.
    MUST "ckpt.get.namespace" => get::namespace;
    /// A checkpoint that is not there is not read, whichever others are.
    MUST "ckpt.get.absent-id" => get::absent_id;

    /// A listing shows every checkpoint of a thread as a read does.
    MUST "ckpt.list.all" => list::all;
    /// A listing of a thread shows no other, and one of an absent thread nothing.
    MUST "ckpt.list.by-thread" => list::by_thread;
    /// A listing of a namespace shows no other.
    MUST "ckpt.list.by-namespace" => list::by_namespace;
    /// A listing is ordered by falling id.
    MUST "ckpt.list.order" => list::ordering;
    /// A filter shows the checkpoints whose metadata has that value.
    MUST "ckpt.list.filter.one" => list::filter_one;
    /// A filter compares numbers.
    MUST "ckpt.list.filter.step" => list::filter_step;
    /// All values of a filter must match.
    MUST "ckpt.list.filter.many" => list::filter_many;
    /// A filter that nothing matches shows nothing.
    MUST "ckpt.list.filter.none" => list::filter_none;
    /// Custom metadata can be filtered by.
    MUST "ckpt.list.filter.custom" => list::filter_custom;
    /// Filters compare single values as JSON does: numbers as numbers, and nothing equals a value of another kind, a list or a map.
    MUST "ckpt.list.filter.kinds" => list::filter_kinds;
    /// A filter that is no single value is refused with `Invalid`, whatever there is to list.
    MUST "ckpt.list.filter.parts" => list::filter_parts;
    /// A listing before an id shows smaller ids and not the id itself.
    MUST "ckpt.list.before" => list::before;
    /// A listing may begin before an id that no checkpoint has.
    MUST "ckpt.list.before.absent" => list::before_absent;
    /// A page holds at most as many checkpoints as were asked for, the newest.
    MUST "ckpt.list.limit" => list::limit;
    /// A limit counts from the id that a listing begins before.
    MUST "ckpt.list.limit.before" => list::limit_before;
    /// A limit counts what the filter lets through.
    MUST "ckpt.list.limit.filter" => list::limit_filter;
    /// Thread and filter hold together.
    MUST "ckpt.list.thread-and-filter" => list::thread_and_filter;
    /// A listing of nothing is one empty page.
    MUST "ckpt.list.empty" => list::empty;
    /// What is listed holds the writes beside it.
    MUST "ckpt.list.writes" => list::writes;
    /// A listing of the root namespace shows no other.
    MUST "ckpt.list.root" => list::root_alone;
    /// A listing that names no namespace shows all of them merged by falling id, equal ids in the order of the namespaces.
    MUST "ckpt.list.namespaces" => list::namespaces;
    /// A listing that names no thread shows all of them one after the other, in the order in which threads are listed.
    MUST "ckpt.list.threads" => list::all_threads;
    /// A listing of an id shows the checkpoints that have it.
    MUST "ckpt.list.by-id" => list::by_id;
    /// A listing without values shows neither values nor writes, and all else.
    MUST "ckpt.list.without-values" => list::without_values;
    /// The first that a listing of a thread shows is the latest.
    MUST "ckpt.list.first-is-latest" => list::latest_of_many;
    /// Pages of any size show each checkpoint once, in the order of the whole.
    MUST "ckpt.list.pages" => pages::each_once;
    /// Pages go on from one thread to the next.
    MUST "ckpt.list.pages.threads" => pages::across_threads;
    /// A checkpoint that is there from the first page to the last is listed once, whatever is put meanwhile.
    MUST "ckpt.list.pages.meanwhile" => pages::meanwhile;
    /// A listing of everything goes on over all pages, none of which is larger than the store's largest.
    MUST "ckpt.list.pages.all" => pages::stream;
    /// A filtered listing of more records than a page examines goes on by its token until it has shown all that match.
    MUST "ckpt.list.pages.filtered" => pages::filtered;
    /// A listing of checkpoints with a limit of 0 is refused with `Invalid`, whatever there is to list.
    MUST "ckpt.list.limit.zero" => pages::limit_zero;
    /// A page token that no listing gave out is refused with `Invalid`.
    MUST "ckpt.list.token.forged" => pages::forged;
    /// A page token is good on every instance, and refused with `Invalid` in a listing of another thread.
    MUST "ckpt.list.token.other" => pages::of_another;

    /// A deleted thread has no checkpoints.
    MUST "ckpt.delete.checkpoints" => delete::checkpoints;
    /// A deleted thread leaves no writes, not even those whose checkpoint was never put.
    MUST "ckpt.delete.writes" => delete::writes;
    /// A deleted thread leaves no values for a later one of its name.
    MUST "ckpt.delete.values" => delete::values;
    /// A deleted thread is gone from all its namespaces.
    MUST "ckpt.delete.namespaces" => delete::namespaces;
    /// A deletion leaves other threads alone.
    MUST "ckpt.delete.other-threads" => delete::other_threads;
    /// Deleting what is not there is no error.
    MUST "ckpt.delete.nothing" => delete::nothing;
    /// A deletion says whether there was a thread, and one that is sent again that there was none.
    MUST "ckpt.delete.existed" => delete::existed;
    /// A thread with 12,000 writes is deleted whole.
    MUST "ckpt.delete.large" => delete::large;
    /// A deleted thread leaves no record in the store beneath, however large it was.
    MUST "ckpt.delete.no-records" counting records => delete::no_records;
    /// Where a deletion left a mark, a late put is refused with `Conflict` and writes nothing.
    MUST "ckpt.delete.tombstone" => delete::tombstone;
    /// Where a deletion left a mark, late writes are refused with `Conflict` and are not kept.
    MUST "ckpt.delete.tombstone.writes" => delete::tombstone_writes;
    /// A put or writes that say so make a thread anew where a mark stands, and take the mark away.
    MUST "ckpt.delete.tombstone.recreate" => delete::tombstone_recreate;
    /// A mark stands until the last millisecond of its lifetime and not longer.
    MUST "ckpt.delete.tombstone.ends" moving time => delete::tombstone_ends;
    /// A thread with runs, tokens and records out of sight leaves no record in the store beneath, and where its deletion leaves a mark, that one alone.
    MUST "ckpt.delete.tombstone.one-record" counting records => delete::tombstone_one_record;
    /// A mark is left only where it is asked for, and binds one thread.
    MUST "ckpt.delete.tombstone.asked" => delete::tombstone_only_asked;

    /// The checkpoints of a run are deleted.
    MUST "ckpt.runs.single" => runs::single;
    /// The checkpoints of several runs are deleted and counted.
    MUST "ckpt.runs.multiple" => runs::multiple;
    /// Deleting a run leaves the checkpoints of other runs, and of none, alone.
    MUST "ckpt.runs.others" => runs::others;
    /// The writes beside the checkpoints of a run are deleted with them.
    MUST "ckpt.runs.writes" => runs::writes;
    /// Deleting no runs deletes nothing.
    MUST "ckpt.runs.none" => runs::none;
    /// Deleting runs that are not there is no error.
    MUST "ckpt.runs.unknown" => runs::unknown;
    /// The checkpoints of a run are deleted in all namespaces.
    MUST "ckpt.runs.namespaces" => runs::namespaces;
    /// The checkpoints of a run are deleted in all threads.
    MUST "ckpt.runs.threads" => runs::threads;
    /// What other checkpoints name of the values that a deleted run brought stays.
    MUST "ckpt.runs.values-kept" => runs::values_kept;
    /// Channels that are rebuilt from writes have the same history after the runs of their ancestors were deleted, which are neither shown nor read nor counted any more.
    MUST "ckpt.runs.history" => runs::histories;
    /// A put that is refused and makes no thread leaves no record in the store beneath, neither of its thread nor of its run.
    MUST "ckpt.runs.refused.no-records" counting records => runs::refused_no_records;
    /// A run is told by the text under `run_id` and by nothing else.
    MUST "ckpt.runs.by-text" => runs::by_text;

    /// A copy has the checkpoints of the thread.
    MUST "ckpt.copy.basic" => copy::basic;
    /// A copy has all checkpoints of the thread as the thread shows them, not only the latest.
    MUST "ckpt.copy.all" => copy::all;
    /// A copy has the metadata of the thread.
    MUST "ckpt.copy.metadata" => copy::metadata;
    /// A copy has the namespaces of the thread.
    MUST "ckpt.copy.namespaces" => copy::namespaces;
    /// A copy has the writes of the thread.
    MUST "ckpt.copy.writes" => copy::writes;
    /// A copy is listed in the order of the thread.
    MUST "ckpt.copy.order" => copy::ordering;
    /// Copying leaves the thread as it was.
    MUST "ckpt.copy.source" => copy::source;
    /// Copying what is not there makes no thread.
    MUST "ckpt.copy.nothing" => copy::nothing;
    /// A copy or a fork onto a thread that is there is refused with `Conflict` and changes nothing.
    MUST "ckpt.copy.exists" => copy::exists;
    /// A copy onto itself is refused with `Invalid` and changes nothing.
    MUST "ckpt.copy.same" => copy::same;
    /// What happens to a thread does not happen to its copy, nor the other way round.
    MUST "ckpt.copy.independent" => copy::independent;
    /// A copy has the lifetime that was asked for, and the thread keeps its own.
    MUST "ckpt.copy.lifetime" => copy::lifetime;
    /// Channels are rebuilt from a copy as from the thread, even when that is gone.
    MUST "ckpt.copy.history" => copy::histories;
    /// A fork holds one checkpoint and what it descends from, with all that belongs to them, and nothing else.
    MUST "ckpt.fork.part" => copy::fork;
    /// A fork of a checkpoint in a namespace holds that namespace alone.
    MUST "ckpt.fork.namespace" => copy::fork_namespace;
    /// A fork of a checkpoint that is not there makes no thread.
    MUST "ckpt.fork.nothing" => copy::fork_of_nothing;
    /// A diff tells which channels came, went and changed from one checkpoint to another, and refuses one that is absent with `Invalid`.
    MUST "ckpt.diff" => copy::diff;

    /// Pruning to the latest leaves the latest checkpoint.
    MUST "ckpt.prune.latest" => prune::latest;
    /// Pruning to the latest leaves that of each thread.
    MUST "ckpt.prune.latest.threads" => prune::latest_of_each_thread;
    /// Pruning to the latest leaves that of each namespace.
    MUST "ckpt.prune.latest.namespaces" => prune::latest_of_each_namespace;
    /// Pruning to the latest leaves the writes beside it.
    MUST "ckpt.prune.latest.writes" => prune::writes;
    /// Pruning to nothing deletes the thread.
    MUST "ckpt.prune.delete" => prune::delete;
    /// A thread that was pruned to nothing leaves no record in the store beneath.
    MUST "ckpt.prune.delete.no-records" counting records => prune::no_records;
    /// Pruning leaves threads that it does not name alone.
    MUST "ckpt.prune.other-threads" => prune::other_threads;
    /// Pruning no threads prunes nothing.
    MUST "ckpt.prune.none" => prune::none;
    /// Pruning threads that are not there is no error.
    MUST "ckpt.prune.unknown" => prune::unknown;
    /// Pruning to the last of a number leaves that many of each namespace.
    MUST "ckpt.prune.last" => prune::last;
    /// Pruning by age leaves the checkpoints whose time is not longer ago, and the latest of each namespace in any case.
    MUST "ckpt.prune.age" => prune::age;
    /// Checkpoints that pruning leaves are as they were: values, metadata, parents and writes.
    MUST "ckpt.prune.survivors" => prune::survivors;
    /// Channels that are rebuilt from writes have the same history after their ancestors were pruned.
    MUST "ckpt.prune.history" => prune::histories;
    /// Pruning keeps no ancestors for the sake of a channel that no survivor names: its writes go with their checkpoints.
    MUST "ckpt.prune.history.unnamed" => prune::unnamed;
    /// What stays only because others are rebuilt from it is not shown, not read and not counted.
    MUST "ckpt.prune.hidden" => prune::hidden;
    /// A retention of no checkpoints or of no time is refused with `Invalid` and prunes nothing.
    MUST "ckpt.prune.retention" => prune::bad_retention;

    /// The writes of a history are told oldest first.
    MUST "ckpt.history.oldest-first" => history::oldest_first;
    /// The seed of a history is the value at the nearest ancestor that holds one.
    MUST "ckpt.history.nearest-seed" => history::nearest_seed;
    /// The writes beside a checkpoint and its own value are not in its history.
    MUST "ckpt.history.not-its-own" => history::not_its_own;
    /// A history of several channels walks for each as far as it must, and has an entry for each.
    MUST "ckpt.history.channels" => history::channels;
    /// A history of no channels is empty.
    MUST "ckpt.history.no-channels" => history::no_channels;
    /// A history that finds no value goes to the root and has no seed.
    MUST "ckpt.history.root" => history::to_the_root;
    /// A value that was put as any other is a seed.
    MUST "ckpt.history.plain-seed" => history::plain_seed;
    /// The writes beside the checkpoint that holds the seed are in the history.
    MUST "ckpt.history.beside-seed" => history::writes_beside_seed;
    /// An ancestor that names a version which another brought holds its value.
    MUST "ckpt.history.named-again" => history::named_again;
    /// A version without a value does not end a history.
    MUST "ckpt.history.past-empty" => history::past_empty;
    /// Writes beside one checkpoint are in a history by task path, task and index.
    MUST "ckpt.history.order" => history::order;
    /// A history follows the parents of its checkpoint and sees no other branch.
    MUST "ckpt.history.path" => history::on_the_path;
    /// A history stays in its namespace.
    MUST "ckpt.history.namespace" => history::namespace;
    /// A history of a checkpoint that is not there is empty for each channel.
    MUST "ckpt.history.absent" => history::of_nothing;

    /// A put under a smaller token than the thread has seen is refused with `Fenced` and writes nothing.
    MUST "ckpt.owner.token.stale-put" => owner::stale_put;
    /// Puts under the same and under greater tokens are made.
    MUST "ckpt.owner.token.fresh" => owner::fresh;
    /// Writes under a smaller token are refused with `Fenced`, and writes under a greater one raise it.
    MUST "ckpt.owner.token.stale-writes" => owner::stale_writes;
    /// A deletion, also of runs, or a pruning under a smaller token is refused with `Fenced` and removes nothing.
    MUST "ckpt.owner.token.stale-removal" => owner::stale_removal;
    /// A thread that is taken over under a greater token refuses the one before from then on, with `Fenced`, before anything is put; one that is absent is not made.
    MUST "ckpt.owner.token.claim" => owner::claim;
    /// The token that a thread has seen binds all its namespaces and no other thread.
    MUST "ckpt.owner.token.of-each-thread" => owner::of_each_thread;
    /// A put that names no owner is made, whatever token the thread has seen.
    MUST "ckpt.owner.nobody" => owner::nobody;
    /// A put that asks for it is made where its parent is the latest, or where it names none and there is none.
    MUST "ckpt.owner.parent.latest" => owner::parent_latest;
    /// A put whose parent must be the latest and is not is refused with `Conflict` and writes nothing.
    MUST "ckpt.owner.parent.stale" => owner::parent_stale;
    /// A put whose parent must be the latest and does not exist is refused with `Conflict` and writes nothing.
    MUST "ckpt.owner.parent.missing" => owner::parent_missing;
    /// A put whose parent must be the latest and whose id is not greater than its parent's is refused with `Invalid` and writes nothing.
    MUST "ckpt.owner.parent.order" => owner::parent_order;
    /// A put whose parent had to be the latest is there already when it is sent again.
    MUST "ckpt.owner.parent.retry" => owner::parent_retry;
    /// The latest checkpoint that a parent must be is that of its namespace.
    MUST "ckpt.owner.parent.namespaces" => owner::parent_namespaces;
    /// Writes that ask for it are refused with `Conflict` where their checkpoint is not the latest.
    MUST "ckpt.owner.parent.writes" => owner::parent_writes;
    /// A deletion or a pruning, which has no parent, refuses to be bound to one with `Invalid`.
    MUST "ckpt.owner.parent.removal" => owner::parent_of_nothing;
    /// Without an owner two checkpoints of one parent are both kept and both listed.
    MUST "ckpt.owner.forks" => owner::forks;

    /// A thread expires as a whole: latest, ids, list and summary.
    MUST "ckpt.life.expires" => life::expires;
    /// An expired thread leaves neither values nor writes for a later one of its name.
    MUST "ckpt.life.gone" => life::gone;
    /// A thread is there until the last millisecond of its lifetime and not longer.
    MUST "ckpt.life.exact" moving time => life::exact;
    /// A put renews the lifetime of all of its thread, in all namespaces.
    MUST "ckpt.life.whole" moving time => life::as_a_whole;
    /// Writes renew the lifetime of their thread.
    MUST "ckpt.life.writes" moving time => life::writes_renew;
    /// A put or writes that keep the lifetime leave its end where it is.
    MUST "ckpt.life.keep" moving time => life::kept;
    /// A put may shorten the lifetime of its thread.
    MUST "ckpt.life.shortened" moving time => life::shortened;
    /// A put that names no lifetime gives its thread the lifetime that a fresh one has.
    MUST "ckpt.life.default" => life::default;
    /// A pinned thread has no end, whatever is put or read without naming another lifetime.
    MUST "ckpt.life.pinned" moving time => life::pinned;
    /// A pinned thread that is given a lifetime is no longer pinned.
    MUST "ckpt.life.unpinned" moving time => life::unpinned;
    /// The lifetime of a thread can be set alone, which changes nothing else, and makes no thread that is absent.
    MUST "ckpt.life.touch" moving time => life::touched;
    /// A read that asks for it begins the lifetime of the thread anew.
    MUST "ckpt.life.read.refreshes" moving time => life::read_refreshes;
    /// A read that asks for it leaves the lifetime of the thread alone, and so does a listing.
    MUST "ckpt.life.read.leaves" moving time => life::read_leaves;
    /// The summary of a thread tells when it ends and whether it is pinned.
    MUST "ckpt.life.shown" => life::shown;
    /// A lifetime of 0, under 1 ms or over 10 years is refused with `Invalid` and nothing is written, also of a copy and where it is set alone.
    MUST "ckpt.life.bad" => life::bad;

    /// Each thread is listed once.
    MUST "ckpt.threads.once" => store::each_thread_once;
    /// The summary of a thread counts its checkpoints in all namespaces, and no writes.
    MUST "ckpt.threads.counted" => store::counted;
    /// The summary of a thread tells when it was last put or written to.
    MUST "ckpt.threads.last-write" => store::last_write;
    /// The summary of a thread tells how much space it takes.
    MUST "ckpt.threads.bytes" => store::sized;
    /// Pages of threads of any size list each thread once.
    MUST "ckpt.threads.pages" => store::thread_pages;
    /// A limit of 0 and a forged token are refused with `Invalid` where threads are listed.
    MUST "ckpt.threads.pages.bad" => store::bad_thread_pages;

    /// A level of safety that a store does not offer is refused with `Unsupported` and without effect, for every change alike; one that it offers is honoured, or falls short with `Unacknowledged` and is applied.
    MUST "ckpt.acks.levels" => acks::levels;
    /// Waiting for no replicas is never refused, for no change.
    MUST "ckpt.acks.none" => acks::none;

    /// Ids and names as long as the limit are kept.
    MUST "ckpt.limits.longest" => limits::longest_ids;
    /// Ids, names, runs and versions over the limit are refused with `TooLarge`, wherever a put or a write holds them, and nothing is written.
    MUST "ckpt.limits.over-long.put" => limits::over_long_puts;
    /// Ids over the limit are refused with `TooLarge`, wherever they are asked for.
    MUST "ckpt.limits.over-long.asked" => limits::over_long_asked;
    /// Empty ids of threads, checkpoints, tasks and runs are refused with `Invalid` and nothing is written.
    MUST "ckpt.limits.empty" => limits::empty_ids;
    /// A value of a channel whose version the checkpoint does not name is refused with `Invalid` and nothing is written.
    MUST "ckpt.limits.value" => limits::value_without_version;
    /// A body, a value or a write over the limit is refused with `TooLarge` and nothing is written, also of the writes beside it.
    MUST "ckpt.limits.payload" => limits::over_large;
    /// Metadata that is too large or too deep is refused with `TooLarge` and nothing is written.
    MUST "ckpt.limits.metadata" => limits::over_large_metadata;
    /// Two writes of one task and index in one call are refused with `Invalid` and nothing is written.
    MUST "ckpt.limits.writes" => limits::one_place_twice;

    /// Names of threads are told apart, whatever they hold.
    MUST "ckpt.names.threads" => names::of_threads;
    /// Names of namespaces are told apart, whatever they hold.
    MUST "ckpt.names.namespaces" => names::of_namespaces;
    /// Names of checkpoints are told apart, whatever they hold, and ordered by their bytes.
    MUST "ckpt.names.checkpoints" => names::of_checkpoints;
    /// Thread, namespace and checkpoint are told apart where their names run together alike.
    MUST "ckpt.names.aliases" => names::aliases;
    /// Channels, versions, nodes and metadata are told apart, whatever their names hold and however they run together.
    MUST "ckpt.names.channels" => names::of_channels;
    /// Tasks and indices of writes are told apart, whatever they hold and however they run together.
    MUST "ckpt.names.tasks" => names::of_tasks;
    /// Runs are told apart, whatever their ids hold and however they run together with the names of threads.
    MUST "ckpt.names.runs" => names::of_runs;
    /// Deleting a thread whose name looks like a pattern, or like part of another, deletes that one alone.
    MUST "ckpt.names.deleted" => names::deleted;

    /// A checkpointer says of which kind it is and to which namespace it is bound.
    MUST "ckpt.store.info" => store::info;
    /// What one instance puts is the latest on every other.
    MUST "ckpt.store.instances" => store::instances;
    /// Checkpointers of different namespaces know nothing of each other.
    MUST "ckpt.store.apart" => store::apart;
    /// A store that cannot be reached answers every read with an error, and never as if nothing were there.
    MUST "ckpt.store.unreachable.reads" cutting links => store::unreachable_reads;
    /// A store that cannot be reached answers every write and deletion with an error.
    MUST "ckpt.store.unreachable.writes" cutting links => store::unreachable_writes;
    /// Checkpoints, values and writes survive a restart, and what was deleted stays deleted.
    MUST "ckpt.store.durable" restarting store => store::durable;
    /// Ends of lifetimes and pins survive a restart.
    MUST "ckpt.store.durable.lives" restarting store => store::durable_lives;
    /// Tokens that threads have seen, and marks of deleted threads, survive a restart.
    MUST "ckpt.store.durable.guards" restarting store => store::durable_guards;

    /// Of many puts at once whose parent must be the latest, exactly one is made.
    MUST "ckpt.race.parent" on threads => race::parent_is_latest;
    /// Of many puts at once without an owner, all are kept.
    MUST "ckpt.race.forks" on threads => race::forks;
    /// A put that many callers send at once is made once.
    MUST "ckpt.race.same-put" on threads => race::same_put;
    /// Of different checkpoints that many callers put under one id at once, one is there, whole.
    MUST "ckpt.race.other-put" on threads => race::other_put;
    /// Of regular writes that many callers put at one place at once, the first stays.
    MUST "ckpt.race.same-write" on threads => race::same_write;
    /// Of writes that many callers put beside one checkpoint at once, none is lost.
    MUST "ckpt.race.writes" on threads => race::writes;
    /// Who reads the latest while others put never sees it go back, be absent, or hold the values of another.
    MUST "ckpt.race.readers" on threads => race::readers;
    /// A copy that is made while others put holds the thread as it was at one moment.
    MUST "ckpt.race.copy" on threads => race::copy;
    /// A put that meets a deletion is there whole, or not at all.
    MUST "ckpt.race.delete" on threads => race::delete;

    /// A store that cannot be followed refuses it with `Unsupported`.
    MUST "ckpt.watch.undeclared" unless [Watch] => watch::undeclared;
    /// Each checkpoint that is put is told, in the order of the puts.
    MUST "ckpt.watch.puts" needs [Watch] => watch::puts;
    /// Writes that are put are told once per call.
    MUST "ckpt.watch.writes" needs [Watch] => watch::writes;
    /// The deletion of a thread is told.
    MUST "ckpt.watch.deleted" needs [Watch] => watch::deleted;
    /// A pruning is told as a change of its thread, and a copy as a change of the thread that it makes.
    MUST "ckpt.watch.changed" needs [Watch] => watch::changed;
    /// The end of a thread's lifetime is told as its deletion.
    MUST "ckpt.watch.expired" needs [Watch] => watch::expired;
    /// What happened before a watch began is not told.
    MUST "ckpt.watch.from-now-on" needs [Watch] => watch::from_now_on;
    /// A watch of a thread tells of that one alone, and a watch of all of each.
    MUST "ckpt.watch.only-this" needs [Watch] => watch::only_this;
    /// Calls that were refused, or changed nothing, are not told.
    MUST "ckpt.watch.not-refused" needs [Watch] => watch::not_refused;
}
