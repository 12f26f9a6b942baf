//! Starting background work without naming a runtime.

use futures_core::future::BoxFuture;

/// Starts a future in the background.
///
/// Implemented for closures, so a runtime is named where it is chosen:
///
/// ```
/// use state_core::{BoxFuture, Spawn};
///
/// fn needs(_: impl Spawn) {}
/// needs(|task: BoxFuture<'static, ()>| {
///     std::thread::spawn(move || futures_util::FutureExt::now_or_never(task));
/// });
/// ```
pub trait Spawn: Send + Sync + 'static {
    /// Starts `task`; it runs until it ends or the runtime does.
    fn spawn(&self, task: BoxFuture<'static, ()>);
}

impl<F> Spawn for F
where
    F: Fn(BoxFuture<'static, ()>) + Send + Sync + 'static,
{
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self(task);
    }
}
