//! Leases and their tokens.

use std::time::Duration;

use bytes::Bytes;
use state_core::{
    AcquireOptions, Acquired, FenceToken, Key, LeaseGrant, LeaseState, Limits, OwnerId, Resend,
    Result,
};

use super::Inner;
use super::ask::{Ask, How, acknowledged, lease_name};
use super::op::Op;
use crate::frame::new_nonce;
use crate::keys::Kind;
use crate::retry::effect::Effect;
use crate::scripts::{self, Word, number, unlike};

impl Inner {
    pub(super) async fn lease_acquire(
        &self,
        op: &Op,
        name: &Key,
        options: &AcquireOptions,
    ) -> Result<Acquired> {
        let (ttl, how) = self.check_lease(name, options)?;
        let keys = vec![self.keys.key(Kind::Lease, name), self.keys.fence(name)];
        let args = vec![owner(options.owner), ttl, lease_name(name)];
        let ask = Ask::new(&scripts::LEASE_ACQUIRE, keys, args, how);
        let (answer, receipt) = self.script(op, ask).await?;
        let item = number::<u64>(answer.item(0)?)?;
        if answer.word == Word::Held {
            return Ok(Acquired::Held { remaining: Duration::from_millis(item) });
        }
        acknowledged(how.wait, receipt.reached)?;
        Ok(Acquired::Granted(LeaseGrant::new(FenceToken::new(item), options.ttl)))
    }

    pub(super) async fn lease_renew(
        &self,
        op: &Op,
        name: &Key,
        token: FenceToken,
        options: &AcquireOptions,
    ) -> Result<LeaseGrant> {
        let (ttl, how) = self.check_lease(name, options)?;
        let keys = vec![self.keys.key(Kind::Lease, name)];
        let args = vec![owner(options.owner), number_text(token), ttl];
        let ask = Ask::new(&scripts::LEASE_RENEW, keys, args, how);
        let (_, receipt) = self.script(op, ask).await?;
        acknowledged(how.wait, receipt.reached)?;
        Ok(LeaseGrant::new(token, options.ttl))
    }

    pub(super) async fn lease_release(
        &self,
        op: &Op,
        name: &Key,
        holder: OwnerId,
        token: FenceToken,
    ) -> Result<bool> {
        self.capabilities.limits.check_key(name)?;
        let keys = vec![self.keys.key(Kind::Lease, name)];
        // The same in all tries of this call, and in no other: a try after a lost answer finds it.
        let call = Bytes::from(new_nonce()?.to_string());
        let args = vec![owner(holder), number_text(token), call];
        let ask = Ask::new(&scripts::LEASE_RELEASE, keys, args, lease_how());
        Ok(self.script(op, ask).await?.0.item(0)?.as_ref() == b"1")
    }

    pub(super) async fn lease_read(&self, op: &Op, name: &Key) -> Result<Option<LeaseState>> {
        self.capabilities.limits.check_key(name)?;
        let keys = vec![self.keys.key(Kind::Lease, name)];
        let ask = Ask::new(&scripts::LEASE_READ, keys, Vec::new(), How::read());
        let (answer, _) = self.script(op, ask).await?;
        let [holder, token, remaining] = answer.rest.as_slice() else { return Ok(None) };
        let holder = <[u8; 16]>::try_from(holder.as_ref()).map_err(|_| unlike())?;
        Ok(Some(LeaseState::new(
            OwnerId::from_bytes(holder),
            FenceToken::new(number(token)?),
            Duration::from_millis(number(remaining)?),
        )))
    }

    fn check_lease(&self, name: &Key, options: &AcquireOptions) -> Result<(Bytes, How)> {
        self.capabilities.limits.check_key(name)?;
        Limits::check_lifetime(options.ttl)?;
        let how = lease_how().with_wait(self.acks(options.acks)?);
        Ok((Bytes::from(options.ttl.as_nanos().div_ceil(1_000_000).to_string()), how))
    }
}

/// Every script of leases carries the nonce of the owner.
fn lease_how() -> How {
    How::of(Effect::Lease, Resend::Safe, None)
}

fn owner(owner: OwnerId) -> Bytes {
    Bytes::copy_from_slice(owner.as_bytes())
}

fn number_text(token: FenceToken) -> Bytes {
    Bytes::from(token.get().to_string())
}
