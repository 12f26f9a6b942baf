//! Setting when a thread ends, and whose it is.

use state_core::Result;
use state_core::checkpoint::TouchThread;

use super::Inner;
use super::ask::{Ask, fence_arg};
use super::scripts::{TOUCH, Word};

impl Inner {
    pub(super) async fn touch_thread(&self, touch: &TouchThread) -> Result<bool> {
        let wait = self.acks(touch.acks)?;
        let args = vec![self.lifetime_arg(touch.lifetime), fence_arg(&touch.ownership)];
        let ask = Ask::change(&TOUCH, self.keys_of(&touch.thread), args).with_wait(wait);
        Ok(self.ask(ask).await?.word == Word::Ok)
    }
}
