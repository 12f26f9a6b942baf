//! State stores on Redis and Valkey: standalone, Sentinel and Cluster.

mod backend;
#[cfg(feature = "checkpoint")]
mod checkpoint;
mod client;
mod command;
mod config;
mod connect;
mod doctor;
mod errors;
mod frame;
mod info;
mod keys;
mod layout;
mod log;
mod offered;
mod per_runtime;
mod pubsub;
mod retry;
mod scripts;
mod server_info;
mod span;
mod stats;
mod store;
mod topology;
mod watch;

pub use backend::RedisBackend;
#[cfg(feature = "checkpoint")]
pub use checkpoint::{ConnectCheckpointer, RedisCheckpointer, RedisThreads};
pub use config::{Address, RedisConfig, RedisConfigBuilder, Secret, Tls, TlsOptions, Topology};
pub use doctor::{Finding, Level, Subject};
pub use layout::{NamespaceOptions, Partitioner, Placed, WatchHistory};
pub use offered::{Condition, Offered};
pub use pubsub::{Delivery, SubscribeOptions};
pub use server_info::{NodeInfo, NodeRole, Product, ServerInfo};
pub use store::RedisStore;
