//! The macro that gives a backend type its traits.

/// Implements `StateBackend` and every role for a type with a field `inner: Local<_>`.
///
/// The traits are implemented for each concrete type, and not for one generic type, so that the
/// seam between rules and stores stays out of the public interface. The argument after `|` is
/// lent to the call: options are large, and each time they move costs as much as a lock.
macro_rules! backend_faces {
    ($backend:ty) => {
        /// Shows which namespace of which store it is, and nothing that is stored.
        impl std::fmt::Debug for $backend {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let info = self.inner.info();
                f.debug_struct(stringify!($backend)).field("info", &info).finish_non_exhaustive()
            }
        }

        $crate::backend::backend_faces! { @face state_core::StateBackend, $backend, {
            fn info(&self) -> state_core::BackendInfo {
                self.inner.info()
            }

            fn capabilities(&self) -> state_core::Capabilities {
                self.inner.capabilities()
            }

            // As `async_trait` would write them, but for copies of the options: these two are
            // called more often than all others together.
            fn get_opts<'s, 'k, 'f>(
                &'s self,
                key: &'k state_core::Key,
                options: state_core::GetOptions,
            ) -> futures_core::future::BoxFuture<'f, state_core::Result<Option<state_core::Entry>>>
            where
                's: 'f,
                'k: 'f,
                Self: 'f,
            {
                Box::pin(async move { self.inner.get(key, &options).await })
            }

            fn put_opts<'s, 'k, 'f>(
                &'s self,
                key: &'k state_core::Key,
                value: bytes::Bytes,
                options: state_core::PutOptions,
            ) -> futures_core::future::BoxFuture<'f, state_core::Result<state_core::Written>>
            where
                's: 'f,
                'k: 'f,
                Self: 'f,
            {
                Box::pin(async move { self.inner.put(key, value, &options).await })
            }

            fn as_hash(&self) -> Option<&dyn state_core::HashStore> {
                Some(self)
            }

            fn as_transact(&self) -> Option<&dyn state_core::Transact> {
                Some(self)
            }

            fn as_watch(&self) -> Option<&dyn state_core::Watch> {
                Some(self)
            }

            fn as_lease(&self) -> Option<&dyn state_core::LeaseStore> {
                Some(self)
            }
        },
                delete_opts => delete(
                    key: &state_core::Key | options: state_core::DeleteOptions
                ) -> state_core::Deleted;
                increment_opts => increment(
                    key: &state_core::Key, by: i64 | options: state_core::IncrementOptions
                ) -> state_core::Incremented;
                touch_opts => touch(key: &state_core::Key | options: state_core::TouchOptions)
                    -> bool;
                list_page => list(options: state_core::ListOptions)
                    -> state_core::Page<state_core::Meta>;
                count_opts => count(options: state_core::CountOptions) -> u64;
                get_many => get_many(keys: &[state_core::Key], options: state_core::GetOptions)
                    -> Vec<state_core::Result<Option<state_core::Entry>>>;
                write_many => write_many(ops: Vec<state_core::WriteOp>)
                    -> Vec<state_core::Result<state_core::WriteOutcome>>;
                clear_opts => clear(options: state_core::ClearOptions) -> u64;
                snapshot_opts => snapshot(options: state_core::SnapshotOptions)
                    -> state_core::BoxStream<
                        'static, state_core::Result<state_core::SnapshotRecord>
                    >;
                ping => ping() -> ();
                stats => stats() -> state_core::Stats;
                health => health() -> state_core::Health;
                memory_usage => memory_usage() -> state_core::MemoryUsage;
        }

        $crate::backend::backend_faces! { @face state_core::HashStore, $backend, {},
                hash_set => hash_set(
                    key: &state_core::Key, fields: Vec<(bytes::Bytes, bytes::Bytes)>,
                    options: state_core::HashWriteOptions
                ) -> u64;
                hash_get => hash_get(
                    key: &state_core::Key, fields: &[bytes::Bytes],
                    consistency: state_core::Consistency
                ) -> Vec<Option<bytes::Bytes>>;
                hash_delete => hash_delete(
                    key: &state_core::Key, fields: &[bytes::Bytes],
                    options: state_core::HashWriteOptions
                ) -> u64;
                hash_increment => hash_increment(
                    key: &state_core::Key, field: &bytes::Bytes, by: i64,
                    options: state_core::HashWriteOptions
                ) -> i64;
                hash_page => hash_page(
                    key: &state_core::Key, options: state_core::HashPageOptions
                ) -> state_core::Page<(bytes::Bytes, bytes::Bytes)>;
                hash_state => hash_state(
                    key: &state_core::Key, consistency: state_core::Consistency
                ) -> Option<state_core::HashState>;
                hash_remove => hash_remove(
                    key: &state_core::Key, options: state_core::HashWriteOptions
                ) -> bool;
        }

        $crate::backend::backend_faces! { @face state_core::Transact, $backend, {},
                transact => transact(transaction: state_core::Transaction)
                    -> Vec<state_core::WriteOutcome>;
        }

        $crate::backend::backend_faces! { @face state_core::Watch, $backend, {},
                watch => watch(options: state_core::WatchOptions)
                    -> state_core::BoxStream<
                        'static, state_core::Result<state_core::WatchEvent>
                    >;
        }

        $crate::backend::backend_faces! { @face state_core::LeaseStore, $backend, {},
                acquire_lease => acquire_lease(
                    name: &state_core::Key, options: state_core::AcquireOptions
                ) -> state_core::Acquired;
                renew_lease => renew_lease(
                    name: &state_core::Key, token: state_core::FenceToken,
                    options: state_core::AcquireOptions
                ) -> state_core::LeaseGrant;
                release_lease => release_lease(
                    name: &state_core::Key, owner: state_core::OwnerId,
                    token: state_core::FenceToken
                ) -> bool;
                read_lease => read_lease(name: &state_core::Key)
                    -> Option<state_core::LeaseState>;
        }
    };
    (@face $trait:path, $backend:ty, { $($plain:tt)* }, $(
        $method:ident => $call:ident(
            $($argument:ident: $type:ty),* $(| $options:ident: $lent:ty)?
        ) -> $output:ty;
    )+) => {
        #[async_trait::async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl $trait for $backend {
            $($plain)*

            $(
                async fn $method(&self $(, $argument: $type)* $(, $options: $lent)?)
                    -> state_core::Result<$output>
                {
                    self.inner.$call($($argument,)* $(&$options)?).await
                }
            )+
        }
    };
}

pub(crate) use backend_faces;
