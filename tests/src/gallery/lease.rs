//! Mutants of the family `lease`: leases and the tokens that come with them.

mod grant;
mod token;

use super::gallery;

gallery! {
    /// Leases are not declared, and the role is handed out.
    "lease.secret" rejected by ["lease.undeclared"] => grant::secret;
    /// A lease is granted for longer than asked for.
    "lease.acquire.generous" rejected by ["lease.acquire.granted", "lease.handle.held", "lease.handle.run.too-late"] => grant::generous;
    /// A lease that is held is granted to whoever asks.
    "lease.acquire.twice" rejected by ["lease.acquire.held", "lease.handle.timeout"] => grant::twice;
    /// Who is refused is not told for how long.
    "lease.acquire.no-hint" rejected by ["lease.acquire.held"] => grant::no_hint;
    /// The holder that asks again is refused.
    "lease.acquire.not-again" rejected by ["lease.acquire.again"] => grant::not_again;
    /// The holder that asks again gets another token.
    "lease.acquire.new-token" rejected by ["lease.acquire.again"] => token::new_token;
    /// Leases ignore the partition of their name.
    "lease.acquire.no-partition" rejected by ["lease.acquire.names"] => grant::no_partition;
    /// A decorator that adds the namespace to every key hands out the leases of the store below.
    "lease.forwarded" rejected by ["lease.acquire.names"] => grant::forwarded;
    /// Lifetimes of leases are bent to the nearest legal one.
    "lease.acquire.bent" rejected by ["lease.acquire.bad-input"] => grant::bent;
    /// A lease that asks for replicas is granted without them.
    "lease.acks.ignored" rejected by ["lease.acks.replicas.undeclared"] => grant::acks_ignored;
    /// Somebody holds a lease that was never asked for.
    "lease.read.ghost" rejected by ["lease.read.nobody"] => grant::ghost;
    /// A lease is an entry like any other.
    "lease.entry" rejected by ["lease.apart"] => grant::entry;
    /// A clear removes leases.
    "lease.cleared" rejected by ["lease.kept-by-clear"] => grant::cleared;

    /// A renewal says that it was made, and was not.
    "lease.renew.does-nothing" rejected by ["lease.renew.extends", "lease.handle.renews"] => grant::renew_does_nothing;
    /// A renewal does not look at owner and token.
    "lease.renew.anybody" rejected by ["lease.renew.stranger", "lease.handle.taken-over", "lease.handle.run.stopped"] or late => grant::renew_anybody;
    /// A renewal brings back a lease that has ended.
    "lease.renew.revives" rejected by ["lease.renew.lost"] => grant::renew_revives;
    /// A renewal is always refused.
    "lease.renew.refused" rejected by ["lease.handle.renews", "lease.handle.run.ends"] => grant::renew_refused;
    /// A released lease stays held until it ends.
    "lease.release.does-nothing" rejected by ["lease.release.frees", "lease.handle.release", "lease.handle.drop", "lease.handle.waits"] or late => grant::release_does_nothing;
    /// Anybody can release a lease.
    "lease.release.anybody" rejected by ["lease.release.stranger"] => grant::release_anybody;
    /// A lease never ends.
    "lease.endless" rejected by ["lease.expiry"] => grant::endless;
    /// A lease ends one millisecond late.
    "lease.late" rejected by ["lease.expiry.exact"] => grant::late;

    /// Every holder gets the same token.
    "lease.token.constant" rejected by ["lease.token.grows", "lease.handle.too-late", "fence.successor"] => token::constant;
    /// The token belongs to the owner and is the same every time.
    "lease.token.of-owner" rejected by ["lease.token.same-owner"] => token::of_owner;
    /// Tokens are counted from 1, and from the beginning again after a clear.
    "lease.token.restarts" rejected by ["lease.token.after-clear"] => token::restarts;
    /// Tokens are counted from 1.
    "lease.token.counted" rejected by ["lease.token.clock"] => token::counted;
}
