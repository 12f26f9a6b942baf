//! A backend as somebody else would write it: a sorted map behind one lock.
//!
//! It keeps the mandatory part of the contract, lifetimes and transactions, and refuses the rest; so
//! it holds threads of checkpoints, too. `tests/conformance.rs` and `tests/threads.rs` prove it. The guide is `docs/guides/writing-a-backend.md`.
//!
//! ```
//! use std::sync::Arc;
//! use state_core::{Namespace, StateBackendExt, SystemClock};
//! use third_party_backend::MapStore;
//!
//! # futures_util::FutureExt::now_or_never(async {
//! let store = MapStore::new(Arc::new(SystemClock::new()));
//! let carts = store.open(Namespace::new("carts")?);
//! carts.put("user:7", "three apples").await?;
//! assert_eq!(carts.get("user:7").await?.as_deref(), Some(b"three apples".as_slice()));
//! # Ok::<(), state_core::Error>(())
//! # }).expect("a map never waits").unwrap();
//! ```

mod backend;
mod counted;
mod effects;
mod page;
mod record;
mod store;
mod transact;

pub use store::MapStore;
