//! The clauses of the family `snap`: snapshots, restores, and snapshot files.

mod file;
mod hashes;
mod read;
mod restore;

clauses! { "snap": "snapshots, restores, and snapshot files";
    /// A snapshot holds every entry with its partition, name and value, each once.
    MUST "snap.entries" => read::entries;
    /// A snapshot of an empty namespace holds nothing.
    MUST "snap.empty" => read::empty;
    /// A snapshot holds nothing of any other namespace.
    MUST "snap.namespace" => read::namespace;
    /// A snapshot with a prefix or a scope holds what a listing with them names.
    MUST "snap.selected" => read::selected;
    /// A snapshot tells each deadline as an absolute time, and none for an entry without a lifetime.
    MUST "snap.deadlines" needs [Expiry] => read::deadlines;
    /// A snapshot holds nothing that has expired.
    MUST "snap.expired" needs [Expiry] => read::expired;
    /// An entry that is not changed while a snapshot is read is in it, whatever happens to others.
    MUST "snap.changing" => read::changing;
    /// A snapshot that is declared to be one point in time shows nothing of what was written, deleted or cleared after it was begun.
    MUST "snap.point-in-time" needs [PointInTimeSnapshot] => read::point_in_time;
    /// A snapshot can be read after the instance that began it is gone.
    MUST "snap.outlives" => read::outlives;
    /// A snapshot that is dropped half-read leaves the store as it is.
    MUST "snap.dropped" => read::dropped;
    /// A snapshot holds every field of every hash, with the deadline of the hash.
    MUST "snap.hashes" needs [Hash] => hashes::read;

    /// A restored namespace holds what the snapshot held, value by value.
    MUST "snap.restore.round-trip" => restore::round_trip;
    /// A restore keeps deadlines as absolute times.
    MUST "snap.restore.deadlines" needs [Expiry] => restore::deadlines;
    /// A restore leaves out what has expired since the snapshot, and counts it.
    MUST "snap.restore.expired" needs [Expiry] => restore::expired;
    /// A restored entry has a version that its key never had.
    MUST "snap.restore.versions" => restore::versions;
    /// A merging restore overwrites the keys of the snapshot and leaves all others alone.
    MUST "snap.restore.merge" => restore::merge;
    /// A merging restore takes the lifetime from an entry that the snapshot holds without one.
    MUST "snap.restore.merge-lifetime" needs [Expiry] => restore::merge_lifetime;
    /// A replacing restore removes everything that the snapshot does not hold, and says how much it removed.
    MUST "snap.restore.replace" => restore::replace;
    /// A replacing restore of an empty snapshot empties the namespace.
    MUST "snap.restore.replace-empty" => restore::replace_empty;
    /// A restore that goes on after some records skips them, removes nothing, and ends with the whole.
    MUST "snap.restore.resume" => restore::resume;
    /// A restore that fails tells how many records were dealt with, and going on after them ends with the whole.
    MUST "snap.restore.failed" => restore::failed;
    /// A restore refuses a record that the backend cannot hold, with its index.
    MUST "snap.restore.bad-record" => restore::bad_record;
    /// A restore takes more records than a batch may hold.
    MUST "snap.restore.large" => restore::large;
    /// A restored hash has exactly the fields and the deadline that the snapshot held, whatever fields were there.
    MUST "snap.restore.hashes" needs [Hash] => hashes::restore;
    /// Without the capability `hash`, a restore that begins with a hash is refused with `Unsupported` before anything is changed.
    MUST "snap.restore.hash-undeclared" unless [Hash] => hashes::undeclared;
    /// Without the capability `expiry`, a restore that begins with a record that has a lifetime is refused with `Unsupported` before anything is changed.
    MUST "snap.restore.expiry-undeclared" unless [Expiry] => restore::expiry_undeclared;

    /// A snapshot file that was written from a namespace restores it in another.
    MUST "snap.file.round-trip" => file::round_trip;
    /// A snapshot file that was cut off is refused with the position, and nothing of it is applied.
    MUST "snap.file.truncated" => file::truncated;
    /// A snapshot file with a flipped bit is refused with the position, and nothing of it is applied.
    MUST "snap.file.flipped" => file::flipped;
    /// A snapshot file in which a sector is zeroed or left as it was before, or a block is missing, repeated, moved or of another file, is refused with the position, and nothing of it is applied.
    MUST "snap.file.torn" => file::torn;
    /// Bytes that are no snapshot file, or that have something behind its end, are refused, and nothing of them is applied.
    MUST "snap.file.foreign" => file::foreign;
    /// A snapshot file with a record that the backend cannot hold is refused before anything of it is applied.
    MUST "snap.file.bad-record" => file::bad_record;
}
