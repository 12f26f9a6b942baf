//! Leases: the role of a store, and the handle that people hold.

mod handle;
mod leases;
mod signal;
mod store;

pub use handle::Lease;
pub use leases::{LeaseOptions, Leases};
pub use store::{AcquireOptions, Acquired, LeaseGrant, LeaseState, LeaseStore, OwnerId};
