//! Leases: one holder at a time, and tokens that grow.

use state_core::{
    AcquireOptions, Acquired, ErrorKind, FenceToken, Key, LeaseGrant, LeaseState, OwnerId,
};

use super::{Fits, Granted, Made, Misfit, fits};
use crate::episodes::call::Reply;

impl Made<'_> {
    pub(super) fn acquire(&mut self, name: &Key, options: AcquireOptions) -> Fits {
        let token = match self.holder(name) {
            Some(held) if held.owner != options.owner => {
                let remaining = held.remaining;
                return match self.reply {
                    None => Ok(()),
                    Some(Reply::Acquired(told)) => fits(*told == Acquired::Held { remaining }),
                    Some(_) => Err(Misfit),
                };
            }
            Some(held) => held.token,
            None => self.next_token(name),
        };
        self.grant(name, token, options);
        let grant = LeaseGrant::new(token, options.ttl);
        match self.reply {
            None => Ok(()),
            Some(Reply::Acquired(told)) => fits(*told == Acquired::Granted(grant)),
            Some(_) => Err(Misfit),
        }
    }

    pub(super) fn renew(&mut self, name: &Key, token: FenceToken, options: AcquireOptions) -> Fits {
        if !self.holds_lease(name, options.owner, token) {
            return self.refused(ErrorKind::Fenced, None);
        }
        self.grant(name, token, options);
        match self.reply {
            None => Ok(()),
            Some(Reply::Granted(told)) => fits(*told == LeaseGrant::new(token, options.ttl)),
            Some(_) => Err(Misfit),
        }
    }

    pub(super) fn release(&mut self, name: &Key, owner: OwnerId, token: FenceToken) -> Fits {
        let held = self.holds_lease(name, owner, token);
        if let Some(lease) = self.world.leases.get_mut(name).filter(|_| held) {
            lease.deadline = None;
        }
        match self.reply {
            None => Ok(()),
            Some(Reply::Released(told)) => fits(*told == held),
            Some(_) => Err(Misfit),
        }
    }

    pub(super) fn read_lease(&self, name: &Key) -> Fits {
        match self.reply {
            None => Ok(()),
            Some(Reply::Lease(told)) => fits(*told == self.holder(name)),
            Some(_) => Err(Misfit),
        }
    }

    fn holder(&self, name: &Key) -> Option<LeaseState> {
        let Granted { owner, token, deadline } = *self.world.leases.get(name)?;
        let deadline = deadline.filter(|deadline| *deadline > self.world.now)?;
        Some(LeaseState::new(owner, token, deadline.saturating_since(self.world.now)))
    }

    fn holds_lease(&self, name: &Key, owner: OwnerId, token: FenceToken) -> bool {
        self.holder(name).is_some_and(|held| held.owner == owner && held.token == token)
    }

    /// Greater than every token so far, and at least the clock in microseconds.
    fn next_token(&self, name: &Key) -> FenceToken {
        let issued = self.world.leases.get(name).map_or(0, |lease| lease.token.get());
        let seen = self.world.fences.get(name).map_or(0, |seen| seen.get());
        FenceToken::new(issued.max(seen).saturating_add(1).max(self.world.now_us()))
    }

    fn grant(&mut self, name: &Key, token: FenceToken, options: AcquireOptions) {
        let deadline = self.world.now.checked_add(options.ttl);
        self.world.leases.insert(name.clone(), Granted { owner: options.owner, token, deadline });
    }
}
