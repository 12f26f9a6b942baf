//! The clauses of the family `list`: listing, counting and clearing.

mod clear;
mod count;
mod names;
mod pages;
mod selected;

clauses! { "list": "listing, counting, clearing, and which entries are told apart";
    /// A listing of an empty namespace is one empty page.
    MUST "list.empty" => pages::empty;
    /// Paging through a listing names every entry, whatever the limit of a page.
    MUST "list.pages.complete" => pages::complete;
    /// A page never holds more items than its limit.
    MUST "list.pages.limit" => pages::limit;
    /// A limit of 0 is refused with `Invalid`.
    MUST "list.pages.zero" => pages::zero;
    /// A limit above that of the backend is taken as that of the backend.
    MUST "list.pages.most" => pages::most;
    /// A token that the backend did not make is refused with `Invalid`.
    MUST "list.token.forged" => pages::token_forged;
    /// A listing goes on after its token although the entry that the page ended with is gone.
    MUST "list.token.deleted" => pages::token_deleted;
    /// Pages come in key order, without a partition before any partition, and name each entry once.
    MUST "list.ordered" needs [OrderedList] => pages::ordered;
    /// A listing that begins after a name passes over that name and all smaller ones, in each partition.
    MUST "list.after" needs [OrderedList] => pages::after;
    /// Without ordered listings, one that begins after a name is refused with `Unsupported`.
    MUST "list.after.undeclared" unless [OrderedList] => pages::after_undeclared;
    /// `list` names each entry exactly once.
    MUST "list.once" => pages::once;
    /// An entry that is there from the first page to the last is listed, however many others come and go meanwhile.
    MUST "list.changing" => pages::changing;
    /// Versions and sizes that a listing tells are those of the entries.
    MUST "list.meta" => pages::meta;
    /// A listing with `Consistency::Eventual` names nothing but keys that were written.
    MUST "list.eventual" => pages::eventual;

    /// A prefix is literal: no character in it is a wildcard, a separator or an escape.
    MUST "list.prefix.literal" => selected::prefix_literal;
    /// A prefix is a string of bytes, `0xff` and incomplete UTF-8 included.
    MUST "list.prefix.bytes" => selected::prefix_bytes;
    /// A prefix is a prefix of the name, whatever the partition is called.
    MUST "list.prefix.name" => selected::prefix_name;
    /// A scope selects the entries without a partition, or those of exactly one.
    MUST "list.scope" => selected::scope;
    /// Deleted entries are not listed.
    MUST "list.deleted" => selected::deleted;
    /// `entries` streams every entry under the prefix once, with its value and its version.
    MUST "list.entries" => selected::entries;
    /// `entries` tells the lifetimes.
    MUST "list.entries.expires" needs [Expiry] => selected::entries_expires;

    /// A count is the number of entries under prefix and scope, each counted once.
    MUST "list.count" => count::count;
    /// A count follows every write and delete on any instance.
    MUST "list.count.follows" => count::follows;

    /// A clear removes everything on every instance and returns how many entries there were.
    MUST "list.clear.all" => clear::all;
    /// A clear with a prefix removes the names that begin with these literal bytes and nothing else.
    MUST "list.clear.prefix" => clear::prefix;
    /// A clear with a scope removes the entries in it and nothing else.
    MUST "list.clear.scope" => clear::scope;
    /// A clear of nothing returns 0, and a cleared namespace can be written again.
    MUST "list.clear.again" => clear::again;
    /// A clear leaves every other namespace alone, also those whose names begin with its own.
    MUST "list.clear.namespace" => clear::namespace;

    /// A namespace sees nothing of another whose name it begins, by any read, listing, count or delete.
    MUST "list.namespace.prefix" => names::namespace_prefix;
    /// No two different triples of namespace, partition and name are the same entry.
    MUST "list.names.injective" => names::injective;
    /// Every entry is listed under exactly the partition and the name that it was written with.
    MUST "list.names.exact" => names::exact;
}
