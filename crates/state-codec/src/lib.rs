//! Typed values over the state layer: formats, compression, the envelope around a stored value,
//! and portable snapshot files.
//!
//! * [`StateBackendTyped::typed`] gives [`Typed`] access to any
//!   [`StateBackend`](state_core::StateBackend): values of one type, written in one format.
//! * [`Envelope`] is what is stored: it says in which format the value is, how it is compressed
//!   and which schema it has, and is checksummed. A reader needs no configuration, and old
//!   values outlive a changed default.
//! * [`write_snapshot`], [`verify_snapshot`] and [`restore_snapshot`] move the contents of any
//!   backend into a file and back; [`SnapshotWriter`] and [`SnapshotReader`] are the parts.
//!
//! # Which format
//! | format | feature | for |
//! |---|---|---|
//! | `Json` | `json` (default) | open types; readable by people |
//! | `MessagePack` | `msgpack` | open types; smaller and faster, fields by name |
//! | `Bincode` | `bincode` | closed types only; smallest |
//!
//! bincode is *positional*: the bytes say neither names nor types. An added, removed or
//! reordered field, `#[serde(skip_serializing_if)]`, `#[serde(untagged)]`, `#[serde(flatten)]`
//! and [`serde_json::Value`](https://docs.rs/serde_json) make a value that is refused, or that is
//! read as something else. Keep it for types that never change, and give them a schema id
//! ([`Typed::with_schema`]).
//!
//! # What a reader refuses
//! Whatever is stored, reading it never panics, never overflows the stack, and allocates for a
//! decompressed value no more than [`VALUE_BYTES_MAX`]. Damage is
//! [`Corrupt`](state_core::ErrorKind::Corrupt); what a later version or another set of features
//! wrote is [`Unsupported`](state_core::ErrorKind::Unsupported). The bytes are described in
//! `docs/wire-format.md`.
//!
//! ```
//! # #[cfg(feature = "json")] {
//! use serde::{Deserialize, Serialize};
//! use state_codec::{Json, StateBackendTyped};
//! use state_core::{Result, StateBackend};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Cart {
//!     items: Vec<String>,
//! }
//!
//! async fn add(store: &dyn StateBackend, user: &str, item: String) -> Result<()> {
//!     let carts = store.typed::<Cart, Json>();
//!     let mut cart = carts.get(user).await?.unwrap_or(Cart { items: Vec::new() });
//!     cart.items.push(item);
//!     carts.put(user, &cart).await?;
//!     Ok(())
//! }
//! # }
//! ```

mod codec;
#[cfg(any(feature = "json", feature = "msgpack", feature = "bincode"))]
mod guard;
mod options;
mod sink;

mod compression;

mod checksum;
mod envelope;
mod field;
mod schema;

mod typed;

mod snapshot;

#[cfg(feature = "bincode")]
pub use codec::Bincode;
#[cfg(feature = "json")]
pub use codec::Json;
#[cfg(feature = "msgpack")]
pub use codec::MessagePack;
pub use codec::{Codec, CodecId, DEPTH_MAX};
pub use compression::{Compression, CompressionId};
pub use envelope::{Envelope, EnvelopeOptions, VALUE_BYTES_MAX};
pub use schema::SchemaMismatch;
pub use snapshot::{
    RestoreFileOptions, SnapshotFileOptions, SnapshotInfo, SnapshotProgress, SnapshotReader,
    SnapshotSource, SnapshotStage, SnapshotSummary, SnapshotWriter, Spool, restore_snapshot,
    verify_snapshot, write_records, write_snapshot,
};
pub use typed::{StateBackendTyped, Typed, TypedEntry, TypedUpdate};
