//! What the cross-crate tests and benchmarks share.

pub mod bench;
pub mod chat;
mod counted;
mod documents;
pub mod embedded;
pub mod episodes;
pub mod gallery;
pub mod proxy;
#[cfg(all(unix, feature = "servers"))]
pub mod redis_acks;
#[cfg(all(unix, feature = "servers"))]
pub mod redis_budgets;
#[cfg(all(unix, feature = "servers"))]
pub mod redis_checkpoints;
#[cfg(all(unix, feature = "servers"))]
pub mod redis_contract;
#[cfg(all(unix, feature = "servers"))]
pub mod redis_doctor;
#[cfg(all(unix, feature = "servers"))]
pub mod redis_failover;
#[cfg(all(unix, feature = "servers"))]
pub mod redis_faults;
#[cfg(all(unix, feature = "servers"))]
pub mod redis_histories;
#[cfg(all(unix, feature = "servers"))]
pub mod redis_looking;
#[cfg(all(unix, feature = "servers"))]
pub mod redis_messages;
#[cfg(all(unix, feature = "servers"))]
pub mod redis_sound;
#[cfg(all(unix, feature = "servers"))]
mod redis_stage;
#[cfg(all(unix, feature = "servers"))]
pub mod redis_statectl;
#[cfg(all(unix, feature = "servers"))]
pub mod redis_tls;
#[cfg(feature = "servers")]
pub mod redis_watch;
pub mod seeded;
#[cfg(all(unix, feature = "servers"))]
pub mod servers;
pub mod simulated;

pub use counted::counted;
