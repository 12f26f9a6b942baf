//! Mutants of the family `list`: listing, counting, clearing, and which entries are told apart.

mod names;
mod pages;
mod selected;

use super::gallery;

pub(super) use names::decorated;

gallery! {
    /// A listing of a namespace that was never written fails.
    "list.empty-fails" rejected by ["list.empty"] => pages::empty_fails;
    /// The last entry of every page but the last is missed.
    "list.pages.gap" rejected by ["list.pages.complete", "list.once"] => pages::gap;
    /// A page holds one item more than asked for.
    "list.pages.one-more" rejected by ["list.pages.limit"] => pages::one_more;
    /// A limit of 0 lists everything.
    "list.pages.zero-is-all" rejected by ["list.pages.zero"] => pages::zero_is_all;
    /// A limit above that of the backend is refused.
    "list.pages.most-refused" rejected by ["list.pages.most"] => pages::most_refused;
    /// A token that makes no sense begins anew.
    "list.token.anything" rejected by ["list.token.forged"] => pages::token_anything;
    /// A token names an entry, which must be there still.
    "list.token.entry" rejected by ["list.token.deleted"] => pages::token_entry;
    /// A token is the number of entries listed before.
    "list.token.offset" rejected by ["list.token.deleted"] => pages::token_offset;
    /// A listing ends when the namespace was written since it began.
    "list.token.one-state" rejected by ["list.changing"] => pages::token_one_state;
    /// Pages come in the reverse order.
    "list.pages.reversed" rejected by ["list.ordered"] => pages::reversed;
    /// A listing begins at the first name, whatever it should begin after.
    "list.after.ignored" rejected by ["list.after"] => pages::after_ignored;
    /// A listing begins with the name that it should begin after.
    "list.after.inclusive" rejected by ["list.after"] => pages::after_inclusive;
    /// A store without ordered listings lists from the first name on, whatever was asked.
    "list.after.secret" rejected by ["list.after.undeclared"] => pages::after_secret;
    /// The last entry of a page comes again on the next.
    "list.pages.overlap" rejected by ["list.ordered", "list.once"] => pages::overlap;
    /// A listing tells the size of the key as that of the value.
    "list.meta.wrong-size" rejected by ["list.meta"] => pages::wrong_size;
    /// An eventual listing names what nobody wrote.
    "list.eventual.ghost" rejected by ["list.eventual"] => pages::ghost;

    /// A star in a prefix stands for anything.
    "list.prefix.glob" rejected by ["list.prefix.literal"] => selected::glob;
    /// A backslash in a prefix escapes what follows.
    "list.prefix.escape" rejected by ["list.prefix.literal"] => selected::escape;
    /// Prefixes pass through UTF-8 text.
    "list.prefix.text" rejected by ["list.prefix.bytes"] => selected::text;
    /// A prefix is one of partition and name together.
    "list.prefix.joined" rejected by ["list.prefix.name"] => selected::joined;
    /// A listing ignores the scope.
    "list.scope.ignored" rejected by ["list.scope"] => selected::scope_ignored;
    /// Deleted entries are listed until they are reclaimed.
    "list.deleted.listed" rejected by ["list.deleted"] => selected::deleted_listed;

    /// A count ignores prefix and scope.
    "list.count.all" rejected by ["list.count"] => selected::count_all;
    /// A count is kept from the first time on.
    "list.count.cached" rejected by ["list.count.follows"] => selected::count_cached;
    /// A clear does not say how much there was.
    "list.clear.silent" rejected by ["list.clear.all"] => selected::clear_silent;
    /// A clear ignores the prefix.
    "list.clear.everything" rejected by ["list.clear.prefix"] => selected::clear_everything;
    /// A clear leaves entries in partitions.
    "list.clear.partitions-stay" rejected by ["list.clear.all"] => selected::clear_partitions_stay;
    /// A clear ignores the scope.
    "list.clear.all-scopes" rejected by ["list.clear.scope"] => selected::clear_all_scopes;
    /// A cleared namespace takes no more writes.
    "list.clear.closes" rejected by ["list.clear.again"] => selected::clear_closes;
    /// A clear reaches every namespace whose name begins with its own.
    "list.clear.spills" rejected by ["list.clear.namespace"] => names::clear_spills;

    /// All namespaces lie in one map, each key behind the name of its namespace.
    "list.namespace.joined" rejected by ["list.namespace.prefix"] => names::joined;
    /// All namespaces lie in one map, with a colon between the parts of a key.
    "list.names.colon" rejected by ["list.names.injective"] => names::colon;
    /// Listings tell names without their partition.
    "list.names.bare" rejected by ["list.names.exact"] => names::bare;
    /// Listings tell names as text.
    "list.names.text" rejected by ["list.names.exact"] => names::text;
}
