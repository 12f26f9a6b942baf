//! Typed access: values of one type in any backend, each in an envelope.

mod entry;
mod migration;

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use state_core::{
    DeleteOptions, Entry, Error, ErrorKind, Expiry, GetOptions, Key, PutOptions, Result,
    StateBackend, StateBackendExt, UpdateAction, Version, Written,
};

pub use entry::{TypedEntry, TypedUpdate};

use crate::{Codec, Compression, Envelope, EnvelopeOptions, SchemaMismatch};
use migration::Migrations;

/// Adds typed access to every [`StateBackend`], `Arc<dyn StateBackend>` included.
pub trait StateBackendTyped {
    /// Access to values of type `T`, written in the format `C`. Costs nothing.
    ///
    /// Values are read in whichever format they were written.
    fn typed<T, C: Codec>(&self) -> Typed<'_, T, C>;
}

impl<B: StateBackend> StateBackendTyped for B {
    fn typed<T, C: Codec>(&self) -> Typed<'_, T, C> {
        Typed::new(self)
    }
}

impl StateBackendTyped for dyn StateBackend {
    fn typed<T, C: Codec>(&self) -> Typed<'_, T, C> {
        Typed::new(self)
    }
}

/// Values of type `T` in a backend, written in the format `C`, each in an
/// [`Envelope`].
///
/// Methods cost the round trips of their namesakes in [`StateBackendExt`]. Errors are those of the
/// backend, and besides:
/// * writing: `Invalid` and `TooLarge` as [`Envelope::encode`], before anything is sent;
/// * reading: `Corrupt` and `Unsupported` as [`Envelope::open`] and [`Envelope::decode`];
///   `Unsupported` with the source [`SchemaMismatch`] for a value of another schema that no
///   migration was given for.
///
/// Cloning is cheap and shares the migrations.
pub struct Typed<'a, T, C> {
    backend: &'a dyn StateBackend,
    options: EnvelopeOptions,
    migrations: Migrations<T>,
    codec: PhantomData<fn() -> C>,
}

impl<T, C> Clone for Typed<'_, T, C> {
    fn clone(&self) -> Self {
        let Self { backend, options, migrations, codec } = self;
        Self { backend: *backend, options: *options, migrations: migrations.clone(), codec: *codec }
    }
}

impl<T, C: Codec> fmt::Debug for Typed<'_, T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typed")
            .field("backend", &self.backend)
            .field("codec", &C::ID)
            .field("options", &self.options)
            .field("migrations", &self.migrations)
            .finish()
    }
}

impl<'a, T, C: Codec> Typed<'a, T, C> {
    fn new(backend: &'a dyn StateBackend) -> Self {
        Self {
            backend,
            options: EnvelopeOptions::new(),
            migrations: Migrations::default(),
            codec: PhantomData,
        }
    }

    /// Sets how values are compressed. Default: lz4 from 4 KiB on, where built in.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.options.compression = compression;
        self
    }

    /// Sets the schema id: written with each value, and demanded of each value read. Default: 0.
    #[must_use]
    pub fn with_schema(mut self, schema: u32) -> Self {
        self.options.schema = schema;
        self
    }
}

impl<T: 'static, C: Codec> Typed<'_, T, C> {
    /// Reads values of the schema `from` as an `Old` and makes a `T` of it. What is stored stays
    /// as it is until it is written again.
    ///
    /// ```
    /// # #[cfg(feature = "json")] {
    /// use serde::{Deserialize, Serialize};
    /// use state_codec::{Json, StateBackendTyped};
    /// use state_core::StateBackend;
    ///
    /// #[derive(Deserialize)]
    /// struct NameV1(String);
    /// #[derive(Serialize, Deserialize)]
    /// struct Name { first: String, last: Option<String> }
    ///
    /// # fn f(store: &dyn StateBackend) {
    /// let names = store
    ///     .typed::<Name, Json>()
    ///     .with_schema(2)
    ///     .with_migration(1, |NameV1(first)| Ok(Name { first, last: None }));
    /// # }
    /// # }
    /// ```
    #[must_use]
    pub fn with_migration<Old: DeserializeOwned + 'static>(
        mut self,
        from: u32,
        migrate: impl Fn(Old) -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        self.migrations.add(from, move |envelope| migrate(envelope.decode::<Old>()?));
        self
    }
}

impl<T: Serialize, C: Codec> Typed<'_, T, C> {
    /// The bytes that would be stored for `value`, for a batch or a transaction. No round trip.
    pub fn encode(&self, value: &T) -> Result<Bytes> {
        Envelope::encode::<C, T>(value, self.options)
    }
}

impl<T: DeserializeOwned, C: Codec> Typed<'_, T, C> {
    /// The value of stored bytes. No round trip.
    pub fn decode(&self, stored: impl Into<Bytes>) -> Result<T> {
        let envelope = Envelope::open(stored)?;
        let (found, expected) = (envelope.schema(), self.options.schema);
        if let Some(migrated) = self.migrations.apply(&envelope) {
            return migrated;
        }
        if found != expected {
            let message = "the value has another schema, and no migration from it was given";
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with_source(SchemaMismatch { found, expected }));
        }
        envelope.decode()
    }

    fn decode_entry(&self, entry: Entry) -> Result<TypedEntry<T>> {
        let Entry { value, version, expires, .. } = entry;
        Ok(TypedEntry { value: self.decode(value)?, version, expires })
    }
}

impl<T, C> Typed<'_, T, C>
where
    T: Serialize + DeserializeOwned + Send + Sync,
    C: Codec,
{
    /// Reads a value; `None` when it is absent. One round trip.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    pub async fn get<K: Into<Key> + Send>(&self, key: K) -> Result<Option<T>> {
        Ok(self.get_entry(key).await?.map(|entry| entry.value))
    }

    /// Reads a value with its version; `None` when it is absent. One round trip.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    pub async fn get_entry<K: Into<Key> + Send>(&self, key: K) -> Result<Option<TypedEntry<T>>> {
        self.get_opts(&key.into(), GetOptions::new()).await
    }

    /// Reads a value as `options` say. With
    /// [`head`](GetOptions::with_head) there is no value to decode: that is `Invalid`.
    ///
    /// Cancellation: dropping the future has no effect on the store, but for a touch that `options`
    /// name, which may be made.
    pub async fn get_opts(&self, key: &Key, options: GetOptions) -> Result<Option<TypedEntry<T>>> {
        if options.head {
            return Err(Error::invalid("a head has no value to decode").with_op("get"));
        }
        let found = self.backend.get_opts(key, options).await?;
        let decoded = found.map(|entry| self.decode_entry(entry)).transpose();
        decoded.map_err(|error| error.with_op("get"))
    }

    /// Stores a value with the configured lifetime, or none. One round trip.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    pub async fn put<K: Into<Key> + Send>(&self, key: K, value: &T) -> Result<Written> {
        self.put_opts(&key.into(), value, PutOptions::new()).await
    }

    /// Stores a value that is absent again after `ttl`: 1 ms to 10 years. One round trip.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    pub async fn put_with_ttl<K: Into<Key> + Send>(
        &self,
        key: K,
        value: &T,
        ttl: Duration,
    ) -> Result<Written> {
        self.put_opts(&key.into(), value, PutOptions::new().with_expiry(ttl)).await
    }

    /// Stores a value as `options` say. One round trip.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    pub async fn put_opts(&self, key: &Key, value: &T, options: PutOptions) -> Result<Written> {
        let stored = self.encode(value).map_err(|error| error.with_op("put"))?;
        self.backend.put_opts(key, stored, options).await
    }

    /// Stores a value unless there is one, and says whether it did. One round trip.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    pub async fn set_if_not_exists<K: Into<Key> + Send>(
        &self,
        key: K,
        value: &T,
        expiry: Expiry,
    ) -> Result<bool> {
        let stored = self.encode(value).map_err(|error| error.with_op("put"))?;
        self.backend.set_if_not_exists(key, stored, expiry).await
    }

    /// Stores a value if the entry has `version` still, else `Conflict`. The lifetime stays. One
    /// round trip.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    pub async fn compare_and_set<K: Into<Key> + Send>(
        &self,
        key: K,
        version: Version,
        value: &T,
    ) -> Result<Written> {
        let stored = self.encode(value).map_err(|error| error.with_op("put"))?;
        self.backend.compare_and_set(key, version, stored).await
    }

    /// Reads, changes and writes a value as one step by compare-and-set, asking `change` anew
    /// when another was faster, at most 100 times; returns the value that is there now. The
    /// lifetime stays. Two round trips per try.
    ///
    /// # Errors
    /// `Conflict` when others were faster every time. A value that cannot be read or written
    /// ends it with nothing changed.
    ///
    /// Cancellation: dropping the future ends it between two tries; the last one may be applied.
    pub async fn update<K, F>(&self, key: K, mut change: F) -> Result<Option<T>>
    where
        K: Into<Key> + Send,
        F: FnMut(Option<&T>) -> TypedUpdate<T> + Send,
    {
        let mut now = None;
        let mut failed = None;
        let done = self.backend.update(key, |seen| {
            let action = self.change(seen, &mut change);
            let (action, value) = action.unwrap_or_else(|error| {
                failed = Some(error);
                (UpdateAction::Keep, None)
            });
            now = value;
            action
        });
        done.await?;
        failed.map_or(Ok(now), |error| Err(error.with_op("update")))
    }

    /// What `change` does with the stored bytes, and the value that is there afterwards.
    fn change(
        &self,
        seen: Option<&Bytes>,
        change: &mut impl FnMut(Option<&T>) -> TypedUpdate<T>,
    ) -> Result<(UpdateAction, Option<T>)> {
        let seen = seen.map(|stored| self.decode(stored.clone())).transpose()?;
        Ok(match change(seen.as_ref()) {
            TypedUpdate::Put(value) => (UpdateAction::Put(self.encode(&value)?), Some(value)),
            TypedUpdate::Delete => (UpdateAction::Delete, None),
            TypedUpdate::Keep => (UpdateAction::Keep, seen),
        })
    }

    /// Removes an entry, whatever it holds, and says whether there was one. One round trip.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    pub async fn delete<K: Into<Key> + Send>(&self, key: K) -> Result<bool> {
        self.backend.delete(key).await
    }

    /// Removes an entry and returns its value, in one atomic step. One round trip.
    ///
    /// # Errors
    /// A value that cannot be read is removed all the same; the error says `Applied`.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    pub async fn get_and_delete<K: Into<Key> + Send>(&self, key: K) -> Result<Option<T>> {
        let options = DeleteOptions::new().with_return_value(true);
        let deleted = self.backend.delete_opts(&key.into(), options).await?;
        let decoded = deleted.previous.map(|entry| self.decode(entry.value)).transpose();
        decoded.map_err(|error| {
            error.with_op("get_and_delete").with_outcome(state_core::Outcome::Applied)
        })
    }

    /// Reads many values, in the order asked for. One round trip per node and chunk.
    ///
    /// # Errors
    /// The first key that failed, by index.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    pub async fn batch_get<K: Into<Key>, I: IntoIterator<Item = K> + Send>(
        &self,
        keys: I,
    ) -> Result<Vec<Option<T>>> {
        let keys: Vec<Key> = keys.into_iter().map(Into::into).collect();
        let found = self.backend.batch_get(keys).await?;
        let decoded = found.into_iter().enumerate().map(|(index, stored)| {
            let value = stored.map(|stored| self.decode(stored)).transpose();
            value.map_err(|error| error.with_op("batch_get").with_index(index))
        });
        decoded.collect()
    }

    /// Stores many values: a batch, not a transaction. One round trip per node and chunk.
    ///
    /// # Errors
    /// A value that cannot be written, by index, before anything is sent; else the first write
    /// that failed, by index, while the others were made all the same.
    ///
    /// Cancellation: dropping the future leaves any of the writes applied or not, each of them whole.
    pub async fn batch_put<K, I>(&self, items: I) -> Result<Vec<Written>>
    where
        K: Into<Key>,
        I: IntoIterator<Item = (K, T)> + Send,
    {
        let encoded = items.into_iter().enumerate().map(|(index, (key, value))| {
            let stored = self.encode(&value);
            let stored = stored.map_err(|error| error.with_op("batch_put").with_index(index))?;
            Ok((key.into(), stored))
        });
        let encoded: Vec<(Key, Bytes)> = encoded.collect::<Result<_>>()?;
        self.backend.batch_put(encoded).await
    }

    /// Removes many entries and returns how many there were: a batch, not a transaction. One
    /// round trip per node and chunk.
    ///
    /// # Errors
    /// The first delete that failed, by index; the others were made all the same.
    ///
    /// Cancellation: dropping the future leaves any of the deletes applied or not, each of them whole.
    pub async fn batch_delete<K: Into<Key>, I: IntoIterator<Item = K> + Send>(
        &self,
        keys: I,
    ) -> Result<u64> {
        let keys: Vec<Key> = keys.into_iter().map(Into::into).collect();
        self.backend.batch_delete(keys).await
    }

    /// Streams the entries whose names begin with `prefix`, each once, with versions and
    /// lifetimes. Two round trips per page of 1,000. A value that cannot be read is an error in
    /// its place, and the stream goes on behind it.
    ///
    /// Cancellation: dropping the stream ends the listing and has no effect on the store.
    pub fn entries<P: Into<Bytes>>(
        &self,
        prefix: P,
    ) -> BoxStream<'_, Result<(Key, TypedEntry<T>)>> {
        self.backend
            .entries(prefix)
            .map(|found| {
                let (key, entry) = found?;
                let entry = self.decode_entry(entry).map_err(|error| error.with_op("entries"))?;
                Ok((key, entry))
            })
            .boxed()
    }
}
