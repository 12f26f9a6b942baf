//! Mutants of the family `hash`: fields under one key.

mod fields;
mod kind;
mod lifetime;
mod pages;

use super::gallery;

gallery! {
    /// Hashes are not declared, and the role is handed out.
    "hash.secret" rejected by ["hash.undeclared", "snap.restore.hash-undeclared"] => kind::secret;
    /// A write of fields replaces the whole hash.
    "hash.set.replaces" rejected by ["hash.set", "model.hashes"] => fields::set_replaces;
    /// A write of fields counts all of them as new.
    "hash.set.all-new" rejected by ["hash.set", "hash.set.twice"] => fields::set_all_new;
    /// Of a field that one write names twice, the first value stays.
    "hash.set.first-stays" rejected by ["hash.set.twice"] => fields::set_first_stays;
    /// A write of no fields creates a hash with an unnamed one.
    "hash.set.marker" rejected by ["hash.set.nothing"] => fields::set_marker;
    /// A read of fields answers only those that are there.
    "hash.get.only-found" rejected by ["hash.get"] => fields::get_only_found;
    /// Fields and their values pass through UTF-8 text.
    "hash.text" rejected by ["hash.any-bytes"] => fields::text;
    /// A removal of fields counts the names that were given.
    "hash.delete.counts-names" rejected by ["hash.delete"] => fields::delete_counts_names;
    /// A removal of fields that are not there is made all the same, and told.
    "hash.delete.absent-told" rejected by ["hash.delete.absent"] => fields::delete_absent_told;
    /// A hash whose last field was removed stays, empty.
    "hash.delete.leaves-shell" rejected by ["hash.delete.last"] => fields::delete_leaves_shell;
    /// The removal of a hash always says that there was one.
    "hash.remove.always" rejected by ["hash.remove"] => fields::remove_always;
    /// Fields are added up in floating point.
    "hash.increment.float" rejected by ["hash.increment"] => fields::increment_float;
    /// Fields that hold no number count as zero.
    "hash.increment.lenient" rejected by ["hash.increment.invalid"] => fields::increment_lenient;
    /// Bad fields are left out of a write.
    "hash.bad-left-out" rejected by ["hash.bad-input"] => fields::bad_left_out;

    /// The last field of a page is missed.
    "hash.page.gap" rejected by ["hash.page"] => pages::gap;
    /// The fields of a page come in the reverse order.
    "hash.page.reversed" rejected by ["hash.page.ordered"] => pages::reversed;
    /// A page of no fields is one of all.
    "hash.page.zero-is-all" rejected by ["hash.page.zero"] => pages::zero_is_all;
    /// The pages of a hash end when it was written since they began.
    "hash.page.one-state" rejected by ["hash.page.changing"] => pages::one_state;
    /// The state of a hash counts one field too many.
    "hash.state.one-more" rejected by ["hash.state"] => pages::state_one_more;

    /// A decorator that adds the namespace to every key hands out the hashes of the store below.
    "hash.forwarded" rejected by ["hash.places"] => kind::forwarded;
    /// The delete of an entry takes the hash of the same key with it.
    "hash.kind.deleted" rejected by ["hash.kind"] => kind::deleted_with_entry;
    /// Hashes are listed.
    "hash.listed" rejected by ["hash.unlisted"] => kind::listed;
    /// Hashes are counted.
    "hash.counted" rejected by ["hash.unlisted"] => kind::counted;
    /// A clear does not count hashes.
    "hash.clear.uncounted" rejected by ["hash.clear"] => kind::clear_uncounted;
    /// A clear leaves hashes.
    "hash.clear.stays" rejected by ["hash.clear"] => kind::clear_stays;
    /// Writes of hashes that ask for replicas are made without them.
    "hash.acks.ignored" rejected by ["hash.acks.replicas.undeclared"] => kind::acks_ignored;

    /// The lifetimes of hashes are dropped.
    "hash.expiry.dropped" rejected by ["hash.expiry", "hash.expiry.set"] => lifetime::dropped;
    /// Each write of a field takes the lifetime of the hash away.
    "hash.expiry.persists" rejected by ["hash.expiry.kept"] => lifetime::persists;
    /// The fields of an expired hash come back with the next write.
    "hash.expiry.revived" rejected by ["hash.expiry.gone", "model.hashes.lifetimes"] => lifetime::revived;
    /// Lifetimes of hashes are bent to the nearest legal one.
    "hash.expiry.bent" rejected by ["hash.expiry.invalid"] => lifetime::bent;
    /// Lifetimes are not declared, and hashes have them.
    "hash.expiry.secret" rejected by ["hash.expiry.undeclared"] => lifetime::secret;
}
