//! The extension trait: what users call.

mod batch;
mod listing;
mod restore;
mod update;

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use futures_core::stream::{BoxStream, Stream};

pub use update::UpdateAction;

use crate::{
    ClearOptions, Consistency, CountOptions, DeleteOptions, Entry, Error, ErrorKind, Expires,
    Expiry, GetOptions, HashStore, HashWriteOptions, IncrementOptions, Key, Precondition,
    PutOptions, RestoreOptions, RestoreReport, Result, SnapshotOptions, SnapshotRecord,
    StateBackend, TouchOptions, Ttl, Written,
};

/// What users of a store call, implemented for every [`StateBackend`].
///
/// Each method says its cost in round trips. Errors are those of the driver method behind it;
/// reads are strong and writes wait for the primary: for anything else call the driver method
/// with its options.
///
/// # Cancellation
/// Each method says what dropping its future leaves behind.
pub trait StateBackendExt: StateBackend {
    /// Reads a value; `None` when it is absent. One round trip.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    fn get<K: Into<Key> + Send>(
        &self,
        key: K,
    ) -> impl Future<Output = Result<Option<Bytes>>> + Send {
        async move { Ok(self.get_entry(key).await?.map(|entry| entry.value)) }
    }

    /// Reads a value with its version; `None` when it is absent. One round trip.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    fn get_entry<K: Into<Key> + Send>(
        &self,
        key: K,
    ) -> impl Future<Output = Result<Option<Entry>>> + Send {
        async move { self.get_opts(&key.into(), GetOptions::new()).await }
    }

    /// Stores a value with the configured lifetime, or none. One round trip.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    fn put<K: Into<Key> + Send, V: Into<Bytes> + Send>(
        &self,
        key: K,
        value: V,
    ) -> impl Future<Output = Result<Written>> + Send {
        async move { self.put_opts(&key.into(), value.into(), PutOptions::new()).await }
    }

    /// Stores a value that is absent again after `ttl`: 1 ms to 10 years. One round trip.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    fn put_with_ttl<K: Into<Key> + Send, V: Into<Bytes> + Send>(
        &self,
        key: K,
        value: V,
        ttl: Duration,
    ) -> impl Future<Output = Result<Written>> + Send {
        async move {
            let options = PutOptions::new().with_expiry(ttl);
            self.put_opts(&key.into(), value.into(), options).await
        }
    }

    /// Stores a value unless there is one, and says whether it did. One round trip.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    fn set_if_not_exists<K: Into<Key> + Send, V: Into<Bytes> + Send>(
        &self,
        key: K,
        value: V,
        expiry: Expiry,
    ) -> impl Future<Output = Result<bool>> + Send {
        async move {
            let options =
                PutOptions::new().with_precondition(Precondition::Absent).with_expiry(expiry);
            match self.put_opts(&key.into(), value.into(), options).await {
                Ok(_) => Ok(true),
                Err(error)
                    if error.kind() == ErrorKind::Conflict
                        && error.outcome() == crate::Outcome::NotApplied =>
                {
                    Ok(false)
                }
                Err(error) => Err(error),
            }
        }
    }

    /// Stores a value if the entry has `version` still, else `Conflict`. One round trip.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    fn compare_and_set<K: Into<Key> + Send, V: Into<Bytes> + Send>(
        &self,
        key: K,
        version: crate::Version,
        value: V,
    ) -> impl Future<Output = Result<Written>> + Send {
        async move {
            let options = PutOptions::new().with_precondition(version).with_expiry(Expiry::Keep);
            self.put_opts(&key.into(), value.into(), options).await
        }
    }

    /// Reads, changes and writes a value as one step by compare-and-set, asking `change` anew
    /// when another was faster, at most 100 times; returns the value that is there now. The
    /// lifetime stays. Two round trips per try.
    ///
    /// # Errors
    /// `Conflict` when others were faster every time.
    ///
    /// Cancellation: dropping the future ends it between two tries; the last one may be applied.
    fn update<K, F>(&self, key: K, change: F) -> impl Future<Output = Result<Option<Bytes>>> + Send
    where
        K: Into<Key> + Send,
        F: FnMut(Option<&Bytes>) -> UpdateAction + Send,
    {
        async move { update::update(self, key.into(), change).await }
    }

    /// Removes an entry and says whether there was one. One round trip.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    fn delete<K: Into<Key> + Send>(&self, key: K) -> impl Future<Output = Result<bool>> + Send {
        async move { Ok(self.delete_opts(&key.into(), DeleteOptions::new()).await?.existed) }
    }

    /// Removes an entry and returns its value, in one atomic step. One round trip.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    fn get_and_delete<K: Into<Key> + Send>(
        &self,
        key: K,
    ) -> impl Future<Output = Result<Option<Bytes>>> + Send {
        async move {
            let options = DeleteOptions::new().with_return_value(true);
            let deleted = self.delete_opts(&key.into(), options).await?;
            Ok(deleted.previous.map(|entry| entry.value))
        }
    }

    /// Says whether there is an entry. One round trip.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    fn contains<K: Into<Key> + Send>(&self, key: K) -> impl Future<Output = Result<bool>> + Send {
        async move {
            let options = GetOptions::new().with_head(true);
            Ok(self.get_opts(&key.into(), options).await?.is_some())
        }
    }

    /// Says how much longer an entry lives. One round trip.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    fn ttl<K: Into<Key> + Send>(&self, key: K) -> impl Future<Output = Result<Ttl>> + Send {
        async move {
            let options = GetOptions::new().with_head(true).with_expiry(true);
            let found = self.get_opts(&key.into(), options).await?;
            Ok(match found.map(|entry| entry.expires) {
                None => Ttl::Absent,
                Some(Expires::At { remaining, .. }) => Ttl::Remaining(remaining),
                Some(Expires::Never | Expires::Unknown) => Ttl::Forever,
            })
        }
    }

    /// Gives an entry another lifetime and says whether there is one. One round trip.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    fn touch<K: Into<Key> + Send, E: Into<Expiry> + Send>(
        &self,
        key: K,
        expiry: E,
    ) -> impl Future<Output = Result<bool>> + Send {
        async move { self.touch_opts(&key.into(), TouchOptions::new(expiry)).await }
    }

    /// Adds `by` to a counter, absent being 0, and returns the sum. One round trip.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    fn increment<K: Into<Key> + Send>(
        &self,
        key: K,
        by: i64,
    ) -> impl Future<Output = Result<i64>> + Send {
        async move { Ok(self.increment_opts(&key.into(), by, IncrementOptions::new()).await?.value) }
    }

    /// Adds `by` to a counter that, once created, lives for `ttl`: a fixed window. One round
    /// trip.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    fn increment_with_ttl<K: Into<Key> + Send>(
        &self,
        key: K,
        by: i64,
        ttl: Duration,
    ) -> impl Future<Output = Result<i64>> + Send {
        async move {
            let options = IncrementOptions::new().with_expiry(ttl);
            Ok(self.increment_opts(&key.into(), by, options).await?.value)
        }
    }

    /// Reads many values, in the order asked for. One round trip per node and chunk.
    ///
    /// # Errors
    /// The first key that failed, by index.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    fn batch_get<K: Into<Key>, I: IntoIterator<Item = K> + Send>(
        &self,
        keys: I,
    ) -> impl Future<Output = Result<Vec<Option<Bytes>>>> + Send {
        let keys: Vec<Key> = keys.into_iter().map(Into::into).collect();
        async move { batch::get(self, &keys).await }
    }

    /// Stores many values: a batch, not a transaction. One round trip per node and chunk.
    ///
    /// # Errors
    /// The first write that failed, by index; the others were made all the same. More than
    /// [`batch_ops_max`](crate::Limits::batch_ops_max) of them are sent in several batches; a
    /// batch that fails as a whole has the index of its first, and ends it.
    ///
    /// Cancellation: dropping the future leaves any of the writes applied or not, each of them whole.
    fn batch_put<K, V, I>(&self, items: I) -> impl Future<Output = Result<Vec<Written>>> + Send
    where
        K: Into<Key>,
        V: Into<Bytes>,
        I: IntoIterator<Item = (K, V)> + Send,
    {
        let items: Vec<(Key, Bytes)> =
            items.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        async move { batch::put(self, items).await }
    }

    /// Removes many entries and returns how many there were: a batch, not a transaction. One
    /// round trip per node and chunk. Where an answer was lost and a delete sent again, the count
    /// may be too low; see [`Deleted::existed_unknown`](crate::Deleted::existed_unknown).
    ///
    /// # Errors
    /// The first delete that failed, by index; the others were made all the same. More than
    /// [`batch_ops_max`](crate::Limits::batch_ops_max) of them are sent in several batches; a
    /// batch that fails as a whole has the index of its first, and ends it.
    ///
    /// Cancellation: dropping the future leaves any of the deletes applied or not, each of them whole.
    fn batch_delete<K: Into<Key>, I: IntoIterator<Item = K> + Send>(
        &self,
        keys: I,
    ) -> impl Future<Output = Result<u64>> + Send {
        let keys: Vec<Key> = keys.into_iter().map(Into::into).collect();
        async move { batch::delete(self, keys).await }
    }

    /// Streams the keys that begin with `prefix`, each once, in key order where listings are
    /// ordered. One round trip per page of 1,000. Where listings are not ordered, 16 bytes per
    /// key are kept to leave repeats out.
    ///
    /// Cancellation: dropping the stream ends the listing and has no effect on the store.
    fn list<P: Into<Bytes>>(&self, prefix: P) -> BoxStream<'_, Result<Key>> {
        listing::keys(self, prefix.into())
    }

    /// Streams the entries that begin with `prefix`, each once, with values and lifetimes. Two
    /// round trips per page of 1,000; an entry that goes in between is left out.
    ///
    /// Cancellation: dropping the stream ends the listing and has no effect on the store.
    fn entries<P: Into<Bytes>>(&self, prefix: P) -> BoxStream<'_, Result<(Key, Entry)>> {
        listing::entries(self, prefix.into())
    }

    /// Collects the keys that begin with `prefix`, as [`list`](Self::list) streams them.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    fn list_keys<P: Into<Bytes> + Send>(
        &self,
        prefix: P,
    ) -> impl Future<Output = Result<Vec<Key>>> + Send {
        let keys = self.list(prefix);
        async move { listing::collect(keys).await }
    }

    /// Counts the entries that begin with `prefix`.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    fn count<P: Into<Bytes> + Send>(&self, prefix: P) -> impl Future<Output = Result<u64>> + Send {
        async move { self.count_opts(CountOptions::new(prefix)).await }
    }

    /// Removes every entry and hash of the namespace and returns how many there were.
    ///
    /// Cancellation: dropping the future may leave it done whole or, where it goes on in steps, in part.
    fn clear(&self) -> impl Future<Output = Result<u64>> + Send {
        async move { self.clear_opts(ClearOptions::default()).await }
    }

    /// Writes one field of a hash and says whether it is new. One round trip.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    fn put_field<K: Into<Key> + Send, N: Into<Bytes> + Send, V: Into<Bytes> + Send>(
        &self,
        key: K,
        field: N,
        value: V,
    ) -> impl Future<Output = Result<bool>> + Send {
        async move {
            let fields = vec![(field.into(), value.into())];
            let hash = hash_of(self)?;
            Ok(hash.hash_set(&key.into(), fields, HashWriteOptions::new()).await? == 1)
        }
    }

    /// Reads one field of a hash. One round trip.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    fn get_field<K: Into<Key> + Send, N: Into<Bytes> + Send>(
        &self,
        key: K,
        field: N,
    ) -> impl Future<Output = Result<Option<Bytes>>> + Send {
        async move {
            let fields = [field.into()];
            let found = hash_of(self)?.hash_get(&key.into(), &fields, Consistency::Strong).await?;
            Ok(found.into_iter().next().flatten())
        }
    }

    /// Collects all fields of a hash, each once. One round trip per 1,000 fields.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    fn fields<K: Into<Key> + Send>(
        &self,
        key: K,
    ) -> impl Future<Output = Result<Vec<(Bytes, Bytes)>>> + Send {
        async move { listing::hash_fields(hash_of(self)?, &key.into()).await }
    }

    /// Removes one field of a hash and says whether there was one. One round trip.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    fn delete_field<K: Into<Key> + Send, N: Into<Bytes> + Send>(
        &self,
        key: K,
        field: N,
    ) -> impl Future<Output = Result<bool>> + Send {
        async move {
            let fields = [field.into()];
            let hash = hash_of(self)?;
            Ok(hash.hash_delete(&key.into(), &fields, HashWriteOptions::new()).await? == 1)
        }
    }

    /// Adds `by` to a field of a hash, absent being 0, and returns the sum. One round trip.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    fn increment_field<K: Into<Key> + Send, N: Into<Bytes> + Send>(
        &self,
        key: K,
        field: N,
        by: i64,
    ) -> impl Future<Output = Result<i64>> + Send {
        async move {
            let options = HashWriteOptions::new();
            hash_of(self)?.hash_increment(&key.into(), &field.into(), by, options).await
        }
    }

    /// Streams everything in the namespace, entries and hashes, fit for
    /// [`restore`](Self::restore) on any backend.
    ///
    /// Cancellation: dropping the future or the stream ends the snapshot and nothing else.
    fn snapshot(
        &self,
    ) -> impl Future<Output = Result<BoxStream<'static, Result<SnapshotRecord>>>> + Send {
        async move { self.snapshot_opts(SnapshotOptions::default()).await }
    }

    /// Writes the records of a snapshot with their deadlines as absolute times and with fresh
    /// versions, in batches of up to 1,000 records or 4 MiB. Records whose lifetime has ended
    /// are left out and counted. It is resumable: see [`RestoreOptions`].
    ///
    /// # Errors
    /// An error of the stream or of the store ends it, with `index` saying how many records of
    /// the stream had been dealt with. What the backend cannot hold is refused before it is sent:
    /// `Unsupported` for hash fields without hashes, and for a deadline, passed or not, without
    /// the capability `Expiry`; `Invalid` for a deadline over 10 years ahead of
    /// [`as_of`](RestoreOptions::as_of), or, where that is not given, once the store has refused
    /// it. Such a record is met as late as the stream gives it, so nothing is changed only if it
    /// is the *first*; a snapshot file is read to its end before anything is applied.
    ///
    /// # Cancellation
    /// What was written stays.
    fn restore<S>(
        &self,
        records: S,
        options: RestoreOptions,
    ) -> impl Future<Output = Result<RestoreReport>> + Send
    where
        S: Stream<Item = Result<SnapshotRecord>> + Send,
    {
        restore::restore(self, records, options)
    }
}

impl<T: StateBackend + ?Sized> StateBackendExt for T {}

fn hash_of<B: StateBackend + ?Sized>(backend: &B) -> Result<&dyn HashStore> {
    backend.as_hash().ok_or_else(|| Error::unsupported("a hash"))
}
