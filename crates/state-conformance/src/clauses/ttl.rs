//! The clauses of the family `ttl`: lifetimes.

mod expired;
mod set;
mod shown;
mod undeclared;

clauses! { "ttl": "lifetimes";
    /// Without the capability `expiry`, a write that names a lifetime is refused with `Unsupported` and has no effect.
    MUST "ttl.undeclared.refused" unless [Expiry] => undeclared::refused_lifetimes;
    /// Without the capability `expiry`, writes with `Default`, `Never` and `Keep` are made, and entries are shown without a lifetime.
    MUST "ttl.undeclared.none" unless [Expiry] => undeclared::no_lifetime;

    /// An expired entry is absent to every read on every instance.
    MUST "ttl.expired.get" needs [Expiry] => expired::get;
    /// An entry is present until its deadline, and absent from the deadline on, to the millisecond.
    MUST "ttl.expired.exact" needs [Expiry] moving time => expired::exact;
    /// A lifetime never ends early: fractions of a millisecond are rounded up.
    MUST "ttl.expired.fraction" needs [Expiry] moving time => expired::fraction;
    /// An expired entry is in no listing.
    MUST "ttl.expired.list" needs [Expiry] => expired::list;
    /// An expired entry is not counted.
    MUST "ttl.expired.count" needs [Expiry] => expired::count;
    /// An expired entry is absent to a batch of reads.
    MUST "ttl.expired.get-many" needs [Expiry] => expired::get_many;
    /// The delete of an expired entry finds nothing and returns nothing.
    MUST "ttl.expired.delete" needs [Expiry] => expired::delete;
    /// A touch of an expired entry, alone or with a read, finds nothing and does not revive it.
    MUST "ttl.expired.touch" needs [Expiry] => expired::touch;
    /// An increment of an expired counter begins at 0.
    MUST "ttl.expired.increment" needs [Expiry] => expired::increment;
    /// To a precondition an expired entry is absent.
    MUST "ttl.expired.precondition" needs [Expiry] => expired::precondition;
    /// A clear does not count expired entries.
    MUST "ttl.expired.clear" needs [Expiry] => expired::clear;
    /// An entry that is written anew after it has expired has nothing of the earlier lifetime.
    MUST "ttl.expired.rewrite" needs [Expiry] => expired::rewrite;
    /// An entry that was given a later deadline, or none, outlives its earlier deadline.
    MUST "ttl.extended" needs [Expiry] => expired::extended;
    /// Entries that expire at the same time expire together.
    MUST "ttl.expired.together" needs [Expiry] => expired::together;

    /// A write gives the entry the lifetime that it names, in place of the one that it had.
    MUST "ttl.put.after" needs [Expiry] => set::put_after;
    /// A write with `At` gives the entry exactly that deadline.
    MUST "ttl.put.at" needs [Expiry] => set::put_at;
    /// A write with `Default` gives the entry the configured lifetime or none, and never the one that it had.
    MUST "ttl.put.default" needs [Expiry] => set::put_default;
    /// A write with `Never` takes the lifetime away.
    MUST "ttl.put.never" needs [Expiry] => set::put_never;
    /// A write with `Keep` leaves the deadline where it was, and an entry that it creates has none.
    MUST "ttl.put.keep" needs [Expiry] => set::put_keep;
    /// A touch moves the deadline, leaves the value alone, and says that the entry is there.
    MUST "ttl.touch.sets" needs [Expiry] => set::touch_sets;
    /// A touch with `Never` takes the lifetime away.
    MUST "ttl.touch.never" needs [Expiry] => set::touch_never;
    /// A touch of an absent entry says so and creates nothing.
    MUST "ttl.touch.absent" needs [Expiry] => set::touch_absent;
    /// A touch with `Keep`, alone or with a read, is refused with `Invalid`.
    MUST "ttl.touch.keep" needs [Expiry] => set::touch_keep;
    /// A read that touches answers the entry and gives it the lifetime.
    MUST "ttl.get.touch" needs [Expiry] => set::get_touch;
    /// A read that touches and asks for `Consistency::Eventual` is refused with `Invalid` and touches nothing.
    MUST "ttl.get.touch-eventual" needs [Expiry] => set::get_touch_eventual;
    /// A batch of reads that touches gives every present entry the lifetime.
    MUST "ttl.get-many.touch" needs [Expiry] => set::get_many_touch;
    /// An increment with `LifetimeOn::Create` sets the lifetime when it creates the counter and at no other time.
    MUST "ttl.increment.create" needs [Expiry] => set::increment_create;
    /// An increment with `LifetimeOn::Every` sets the lifetime each time.
    MUST "ttl.increment.every" needs [Expiry] => set::increment_every;
    /// A plain increment of a counter that is there leaves its lifetime alone.
    MUST "ttl.increment.plain" needs [Expiry] => set::increment_plain;
    /// Each write of a batch gives its own entry its own lifetime.
    MUST "ttl.batch" needs [Expiry] => set::batch;
    /// `set_if_not_exists` gives the lifetime to the entry that it creates and to no other.
    MUST "ttl.set-if-not-exists" needs [Expiry] => set::set_if_not_exists;

    /// A read that asks for the lifetime answers deadline and what is left of it, or that there is none.
    MUST "ttl.shown.get" needs [Expiry] => shown::get;
    /// What is left of a lifetime shrinks as time passes, and the deadline stays.
    MUST "ttl.shown.remaining" needs [Expiry] => shown::remaining;
    /// A listing that asks for lifetimes answers each one.
    MUST "ttl.shown.list" needs [Expiry] => shown::list;
    /// `ttl` tells an absent entry from one without a lifetime and from one that ends.
    MUST "ttl.shown.ttl" needs [Expiry] => shown::ttl;
    /// The shortest and the longest legal lifetime, 1 ms and 10 years, are accepted and kept.
    MUST "ttl.edges" needs [Expiry] moving time => shown::edges;
}
