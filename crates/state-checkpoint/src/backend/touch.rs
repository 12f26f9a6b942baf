//! Setting when a thread ends, and whose it is.

use state_core::Result;
use state_core::checkpoint::TouchThread;

use super::{BackendThreads, TRIES, too_busy};

impl BackendThreads {
    pub(super) async fn touch_head(&self, touch: &TouchThread) -> Result<bool> {
        for _ in 0..TRIES {
            let seen = self.see(&touch.thread).await?;
            if seen.head.is_none() {
                return Ok(false);
            }
            let edit = self.begin(&touch.thread, seen, &touch.ownership, touch.lifetime, false)?;
            if self.commit(edit, touch.acks).await? {
                return Ok(true);
            }
        }
        Err(too_busy())
    }
}
