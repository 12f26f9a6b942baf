//! Fencing marks and write acknowledgements.

use state_core::{Acks, AcksReached, Capability, Consistency, Error, ErrorKind, Fence, Result};

use super::{Tx, View};

impl View<'_> {
    /// What a receipt says; an unsupported level is refused before anything is written.
    #[inline]
    pub(crate) fn acks(&self, wanted: Acks) -> Result<AcksReached> {
        let fsynced = self.rules.capabilities.has(Capability::AckFsync);
        match wanted {
            Acks::Replicas(replicas) if replicas > 0 => {
                return Err(Error::unsupported("waiting for replicas"));
            }
            Acks::Fsynced if !fsynced => return Err(Error::unsupported("waiting for the disk")),
            _ => {}
        }
        Ok(if fsynced { AcksReached::FSYNCED } else { AcksReached::PRIMARY })
    }

    /// Every read here is strong, which is more than either level asks for.
    #[expect(clippy::unused_self, reason = "the same shape as the other checks")]
    #[inline]
    pub(crate) fn consistency(&self, wanted: Consistency) -> Result<()> {
        match wanted {
            Consistency::Strong | Consistency::Eventual => Ok(()),
            _ => Err(Error::unsupported("this consistency level")),
        }
    }

    #[inline]
    pub(crate) fn check_fence(&self, fence: Option<&Fence>) -> Result<()> {
        fence.map_or(Ok(()), |fence| self.rules.capabilities.limits.check_key(&fence.lease))
    }
}

impl Tx<'_> {
    /// Refuses a stale token and remembers a greater one. Called when everything else that can
    /// be checked without reading has been, and before anything is read or written.
    #[inline]
    pub(crate) fn raise_fence(&mut self, fence: Option<&Fence>) -> Result<()> {
        let Some(fence) = fence else { return Ok(()) };
        let mark = self.tables.fence_mark(&fence.lease)?;
        if mark.is_some_and(|mark| mark > fence.token) {
            let message = "the lease has passed to another holder";
            return Err(Error::new(ErrorKind::Fenced, message));
        }
        if mark != Some(fence.token) {
            self.tables.put_fence_mark(&fence.lease, fence.token)?;
        }
        Ok(())
    }
}
