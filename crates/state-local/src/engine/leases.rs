//! Leases and their tokens.

use state_core::{
    AcquireOptions, Acquired, Error, ErrorKind, FenceToken, Key, LeaseGrant, LeaseState, Limits,
    OwnerId, Result, Timestamp,
};

use super::{Tx, View};
use crate::tables::LeaseRecord;

impl View<'_> {
    pub(crate) fn lease(&self, name: &Key) -> Result<Option<LeaseState>> {
        self.rules.capabilities.limits.check_key(name)?;
        let held = self.tables.lease(name)?.and_then(|lease| self.held(lease));
        Ok(held.map(|(lease, deadline)| {
            let remaining = deadline.saturating_since(self.now.get());
            LeaseState::new(lease.owner, lease.token, remaining)
        }))
    }

    /// The lease with its deadline, if it has not ended.
    fn held(&self, lease: LeaseRecord) -> Option<(LeaseRecord, Timestamp)> {
        let deadline = lease.deadline.filter(|deadline| *deadline > self.now.get())?;
        Some((lease, deadline))
    }

    fn check_lease(&self, name: &Key, options: &AcquireOptions) -> Result<Timestamp> {
        self.rules.capabilities.limits.check_key(name)?;
        Limits::check_lifetime(options.ttl)?;
        self.acks(options.acks)?;
        let deadline = self.now.get().checked_add(options.ttl);
        deadline.ok_or_else(|| Error::invalid("the lease ends after the end of time"))
    }
}

impl Tx<'_> {
    pub(crate) fn acquire_lease(
        &mut self,
        name: &Key,
        options: &AcquireOptions,
    ) -> Result<Acquired> {
        let view = self.view();
        let deadline = view.check_lease(name, options)?;
        let last = view.tables.lease(name)?;
        let token = match last.and_then(|lease| view.held(lease)) {
            Some((held, until)) if held.owner != options.owner => {
                let remaining = until.saturating_since(self.now.get());
                return Ok(Acquired::Held { remaining });
            }
            Some((held, _)) => held.token,
            None => self.next_token(name, last)?,
        };
        let lease = LeaseRecord { owner: options.owner, token, deadline: Some(deadline) };
        self.tables.put_lease(name, lease)?;
        Ok(Acquired::Granted(LeaseGrant::new(token, options.ttl)))
    }

    /// Greater than every token given out, and than every one seen in a fenced call.
    fn next_token(&mut self, name: &Key, last: Option<LeaseRecord>) -> Result<FenceToken> {
        let mark = self.tables.fence_mark(name)?.map_or(0, FenceToken::get);
        let last = last.map_or(0, |lease| lease.token.get()).max(mark);
        let now_us = self.now.get().unix_ms().saturating_mul(1_000);
        let next = last.checked_add(1).map(|next| FenceToken::new(next.max(now_us)));
        let token = next.ok_or_else(|| {
            Error::new(ErrorKind::Internal, "there is no greater fencing token left")
        })?;
        self.tables.put_fence_mark(name, token)?;
        Ok(token)
    }

    pub(crate) fn renew_lease(
        &mut self,
        name: &Key,
        token: FenceToken,
        options: &AcquireOptions,
    ) -> Result<LeaseGrant> {
        let view = self.view();
        let deadline = view.check_lease(name, options)?;
        let held = view.tables.lease(name)?.and_then(|lease| view.held(lease));
        if !held.is_some_and(|(held, _)| held.owner == options.owner && held.token == token) {
            let message = "the lease is no longer held under this token";
            return Err(Error::new(ErrorKind::Fenced, message));
        }
        let lease = LeaseRecord { owner: options.owner, token, deadline: Some(deadline) };
        self.tables.put_lease(name, lease)?;
        Ok(LeaseGrant::new(token, options.ttl))
    }

    pub(crate) fn release_lease(
        &mut self,
        name: &Key,
        owner: OwnerId,
        token: FenceToken,
    ) -> Result<bool> {
        let view = self.view();
        view.rules.capabilities.limits.check_key(name)?;
        let held = view.tables.lease(name)?.and_then(|lease| view.held(lease));
        if !held.is_some_and(|(held, _)| held.owner == owner && held.token == token) {
            return Ok(false);
        }
        self.tables.put_lease(name, LeaseRecord { owner, token, deadline: None })?;
        Ok(true)
    }
}
