//! The span of one call of a user.

use std::future::Future;

use state_core::{Namespace, Result};
use tracing::Instrument as _;

/// Runs a call in a span of its own, which says how it ended. Callers pin `work` where they make it: moved into here, and
/// from here into the span, it would be copied with all the room that it needs.
///
/// # Errors
/// Those of `work`, with the operation.
pub(crate) async fn spanned<T>(
    op: &'static str,
    namespace: Option<&Namespace>,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    // Never a key or a value: who may read a log may not read the store.
    let span = tracing::debug_span!(
        "redis",
        op,
        namespace = namespace.map(tracing::field::display),
        attempts = tracing::field::Empty,
        outcome = tracing::field::Empty,
        kind = tracing::field::Empty,
    );
    let result = work.instrument(span.clone()).await;
    match &result {
        Ok(_) => span.record("outcome", tracing::field::display("ok")),
        Err(error) => span
            .record("outcome", tracing::field::display(error.outcome()))
            .record("kind", error.kind().name()),
    };
    result.map_err(|error| error.with_op(op))
}
