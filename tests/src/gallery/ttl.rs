//! Mutants of the family `ttl`: lifetimes.

mod expired;
mod set;
mod shown;

use super::gallery;

gallery! {
    /// Lifetimes are not declared, and set.
    "ttl.undeclared.set" rejected by ["ttl.undeclared.refused"] => set::undeclared_set;
    /// Lifetimes are not declared, and everything has one.
    "ttl.undeclared.all" rejected by ["ttl.undeclared.none"] => set::undeclared_all;

    /// An expired entry is read until it is reclaimed.
    "ttl.expired.read" rejected by ["ttl.expired.get"] => expired::read;
    /// An entry is present at its deadline still.
    "ttl.expired.late" rejected by ["ttl.expired.exact"] => expired::late;
    /// Lifetimes are cut to whole milliseconds.
    "ttl.expired.cut" rejected by ["ttl.expired.fraction"] => expired::cut;
    /// Expired entries are listed until they are reclaimed.
    "ttl.expired.listed" rejected by ["ttl.expired.list"] => expired::listed;
    /// Expired entries are counted until they are reclaimed.
    "ttl.expired.counted" rejected by ["ttl.expired.count"] => expired::counted;
    /// A batch of reads does not look at deadlines.
    "ttl.expired.batch" rejected by ["ttl.expired.get-many"] => expired::batch;
    /// A delete finds what has expired.
    "ttl.expired.deleted" rejected by ["ttl.expired.delete"] => expired::deleted;
    /// A touch revives what has expired.
    "ttl.expired.revived" rejected by ["ttl.expired.touch"] => expired::revived;
    /// An increment goes on from an expired counter.
    "ttl.expired.continued" rejected by ["ttl.expired.increment"] => expired::continued;
    /// To a write on absence an expired entry is present.
    "ttl.expired.in-the-way" rejected by ["ttl.expired.precondition"] => expired::in_the_way;
    /// A clear counts what has expired.
    "ttl.expired.cleared" rejected by ["ttl.expired.clear"] => expired::cleared;
    /// A write that keeps the lifetime inherits that of an expired entry.
    "ttl.expired.inherited" rejected by ["ttl.expired.rewrite"] => expired::inherited;
    /// The timer of an earlier deadline is not called off.
    "ttl.timer" rejected by ["ttl.extended"] => expired::timer;
    /// Deadlines are spread a little, so that not everything expires at once.
    "ttl.jitter" rejected by ["ttl.expired.together"] => expired::jitter;

    /// Puts drop the lifetime.
    "ttl.put.dropped" rejected by ["ttl.put.after"] => set::put_dropped;
    /// A deadline is rounded to the second.
    "ttl.put.seconds" rejected by ["ttl.put.at"] => set::put_seconds;
    /// A write that names no lifetime keeps the one that is there.
    "ttl.put.sticky" rejected by ["ttl.put.default", "model.lifetimes"] => set::put_sticky;
    /// A write cannot take a lifetime away.
    "ttl.put.mortal" rejected by ["ttl.put.never"] => set::put_mortal;
    /// A write that is to keep the lifetime takes it away.
    "ttl.put.forgets" rejected by ["ttl.put.keep", "cas.compare-and-set.lifetime"] => set::put_forgets;
    /// A touch says that it was made, and was not.
    "ttl.touch.does-nothing" rejected by ["ttl.touch.sets", "ttl.touch.never"] => set::touch_does_nothing;
    /// A touch cannot take a lifetime away.
    "ttl.touch.mortal" rejected by ["ttl.touch.never"] => set::touch_mortal;
    /// A touch of an absent entry creates an empty one.
    "ttl.touch.creates" rejected by ["ttl.touch.absent"] => set::touch_creates;
    /// A touch that is to keep the lifetime is accepted.
    "ttl.touch.keeps" rejected by ["ttl.touch.keep"] => set::touch_keeps;
    /// A read does not touch.
    "ttl.get.no-touch" rejected by ["ttl.get.touch"] => set::get_no_touch;
    /// An eventual read touches.
    "ttl.get.touch-anywhere" rejected by ["ttl.get.touch-eventual"] => set::get_touch_anywhere;
    /// A batch of reads does not touch.
    "ttl.get-many.no-touch" rejected by ["ttl.get-many.touch"] => set::get_many_no_touch;
    /// Every increment sets the lifetime.
    "ttl.increment.slides" rejected by ["ttl.increment.create", "ttl.increment.plain"] => set::increment_slides;
    /// An increment sets the lifetime only when it creates the counter.
    "ttl.increment.fixed" rejected by ["ttl.increment.every"] => set::increment_fixed;
    /// An increment takes the lifetime away.
    "ttl.increment.persists" rejected by ["ttl.increment.plain"] => set::increment_persists;
    /// A batch of writes drops lifetimes.
    "ttl.batch.dropped" rejected by ["ttl.batch"] => set::batch_dropped;

    /// Asked for the lifetime, a read says that there is none.
    "ttl.shown.none" rejected by ["ttl.shown.get", "ttl.shown.ttl"] => shown::none;
    /// What is left of a lifetime is the whole of it.
    "ttl.shown.whole" rejected by ["ttl.shown.remaining"] => shown::whole;
    /// A listing does not tell lifetimes.
    "ttl.shown.unlisted" rejected by ["ttl.shown.list"] => shown::unlisted;
    /// Lifetimes under a second are refused.
    "ttl.edges.short" rejected by ["ttl.edges"] => shown::short;
    /// Lifetimes are capped at a month.
    "ttl.edges.capped" rejected by ["ttl.edges"] => shown::capped;
}
