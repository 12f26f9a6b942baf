//! The contract that every state backend keeps: traits, value types, errors and the clock.
//!
//! This crate does no I/O, knows no serialisation format and names no async runtime. It holds
//! two faces of one contract:
//!
//! * [`StateBackend`], the driver trait that a backend or a decorator implements: few methods,
//!   options structs, no default bodies, so that nothing can be forgotten;
//! * [`StateBackendExt`], the trait that users call: `get`, `put`, `list_keys`, `update` and
//!   their kin, implemented once for every driver.
//!
//! What not every backend can do is a *role* ([`HashStore`], [`Transact`], [`Watch`],
//! [`LeaseStore`]): a backend hands the role out or it does not, and [`Capabilities`] say the
//! rest. The rules that all backends keep are clauses of the conformance suite
//! (`state-conformance`, `docs/CONTRACT.md`).
//!
//! ```
//! use state_core::{Result, StateBackend, StateBackendExt};
//!
//! async fn visit(store: &dyn StateBackend, user: &str) -> Result<i64> {
//!     store.put_with_ttl(format!("seen:{user}"), "1", std::time::Duration::from_secs(60)).await?;
//!     store.increment("visits", 1).await
//! }
//! ```

mod options;

mod key;
mod namespace;

mod byte_count;
mod consistency;
mod entry;
mod expiry;
mod fence;
mod op_digest;
mod op_id;
mod precondition;
mod version;

mod error;

mod capabilities;
mod limits;

mod batch;
mod delete;
mod get;
mod increment;
mod list;
mod put;
mod touch;

mod backend;
mod ext;
mod info;
mod stats;

mod hash;
mod lease;
mod snapshot;
mod transact;
mod watch;

pub mod checkpoint;

mod clock;
mod spawn;
mod timestamp;

pub use backend::StateBackend;
pub use batch::{WriteOp, WriteOutcome};
pub use capabilities::{Capabilities, Capability, SnapshotLevel, WatchLevel};
pub use clock::{Clock, ManualClock, SystemClock};
pub use consistency::{Acks, AcksReached, Consistency};
pub use delete::{DeleteOptions, Deleted};
pub use entry::{Entry, Meta};
pub use error::{Error, ErrorKind, Outcome, Result};
pub use expiry::{Expires, Expiry, Ttl};
pub use ext::{StateBackendExt, UpdateAction};
pub use fence::{Fence, FenceToken};
pub use get::GetOptions;
pub use hash::{HashPageOptions, HashState, HashStore, HashWriteOptions};
pub use increment::{IncrementOptions, Incremented, LifetimeOn};
pub use info::BackendInfo;
pub use key::Key;
pub use lease::{
    AcquireOptions, Acquired, Lease, LeaseGrant, LeaseOptions, LeaseState, LeaseStore, Leases,
    OwnerId,
};
pub use limits::Limits;
pub use list::{ClearOptions, CountOptions, ListOptions, Page, PageToken, Scope};
pub use namespace::Namespace;
pub use op_digest::OpDigest;
pub use op_id::{OpId, Resend};
pub use precondition::Precondition;
pub use put::{PutOptions, Written};
pub use snapshot::{RestoreMode, RestoreOptions, RestoreReport, SnapshotOptions, SnapshotRecord};
pub use spawn::Spawn;
pub use stats::{
    Health, HealthStatus, LatencySummary, MemoryUsage, Operation, OperationStats, Stats,
};
pub use timestamp::Timestamp;
pub use touch::TouchOptions;
pub use transact::{Check, Transact, Transaction};
pub use version::Version;
pub use watch::{Change, ResumeToken, Watch, WatchEvent, WatchOptions, WatchStart};

pub use bytes::Bytes;
pub use futures_core::future::BoxFuture;
pub use futures_core::stream::{BoxStream, Stream};
