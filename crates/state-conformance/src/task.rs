//! Background work of a clause.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

/// A task that a clause has started. Awaiting it gives its result.
#[derive(Debug)]
#[must_use = "dropping the handle ends the task"]
pub struct Task<T>(pub(crate) tokio::task::JoinHandle<T>);

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<T> {
        match Pin::new(&mut self.0).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(result)) => Poll::Ready(result),
            Poll::Ready(Err(ended)) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Only dropping this handle, or the end of the runtime, cancels the task.
                Err(_cancelled) => Poll::Pending,
            },
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
