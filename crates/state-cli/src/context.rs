//! What every command gets: the global options, the clock, the output, and the way to the store.

use std::sync::Arc;

use bytes::Bytes;
use state_core::checkpoint::Checkpointer;
use state_core::{Clock, Key, Namespace, Scope, StateBackend, SystemClock};

use crate::cli::{Global, KeyArguments, ScopeArguments};
use crate::failure::Failure;
use crate::key_text;
use crate::open::{self, Store};
use crate::output::Output;
use crate::store_url::StoreUrl;

/// Whether a command may make a store that is not there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Access {
    /// The store must be there, and is only looked at: nothing is decided for those who write.
    Read,
    /// The store must be there.
    Existing,
    /// The store is made if it is not there.
    Create,
}

#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) output: Output,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Context {
    pub(crate) fn new(global: Global, output: Output) -> Self {
        Self { global, output, clock: Arc::new(SystemClock::new()) }
    }

    /// Opens the namespace that was named in the store that `--store` names.
    pub(crate) async fn open(&self, access: Access) -> Result<Arc<dyn StateBackend>, Failure> {
        let namespace = self.namespace()?;
        self.open_store(access).await?.namespace(namespace, access).await
    }

    /// Opens the threads in the namespace that was named, in the store that `--store` names.
    pub(crate) async fn open_checkpoints(
        &self,
        access: Access,
    ) -> Result<Arc<dyn Checkpointer>, Failure> {
        let (namespace, url) = (self.namespace()?, self.store_url()?);
        self.note_a_memory_store(&url);
        open::checkpoints(&url, namespace, access).await
    }

    /// Opens the store that `--store` names.
    pub(crate) async fn open_store(&self, access: Access) -> Result<Store, Failure> {
        let url = self.store_url()?;
        self.note_a_memory_store(&url);
        Store::open(&url, access).await
    }

    fn note_a_memory_store(&self, url: &StoreUrl) {
        if *url == StoreUrl::Memory {
            self.output.note("a memory store is empty at first and gone when this command ends");
        }
    }

    pub(crate) fn store_url(&self) -> Result<StoreUrl, Failure> {
        let Some(url) = &self.global.store else {
            return Err(Failure::usage(
                "no store was named",
                "name one with `--store file:PATH` or with the variable STATE_STORE; \
                 `statectl demo` makes one to look into",
            ));
        };
        StoreUrl::parse(url)
    }

    pub(crate) fn namespace(&self) -> Result<Namespace, Failure> {
        match &self.global.namespace {
            Some(name) => Ok(Namespace::new(self.bytes(name)?)?),
            None => Ok(Namespace::default()),
        }
    }

    /// A key, prefix or partition as it was typed.
    pub(crate) fn bytes(&self, text: &str) -> Result<Bytes, Failure> {
        if self.global.raw_keys {
            return Ok(Bytes::copy_from_slice(text.as_bytes()));
        }
        key_text::parse(text).map(Bytes::from)
    }

    /// A name as it was typed: of a thread, a namespace of checkpoints, or a checkpoint.
    pub(crate) fn name(&self, text: &str) -> Result<String, Failure> {
        String::from_utf8(self.bytes(text)?.into()).map_err(|_| {
            Failure::usage("the name is not UTF-8", "names of threads and checkpoints are text")
        })
    }

    pub(crate) fn key(&self, arguments: &KeyArguments) -> Result<Key, Failure> {
        self.key_in(&arguments.key, arguments.partition.partition.as_deref())
    }

    pub(crate) fn key_in(&self, key: &str, partition: Option<&str>) -> Result<Key, Failure> {
        let partition = partition.map(|name| self.bytes(name)).transpose()?;
        Ok(Key::from_parts(partition, self.bytes(key)?))
    }

    pub(crate) fn scope(&self, arguments: &ScopeArguments) -> Result<Scope, Failure> {
        Ok(match &arguments.partition {
            Some(name) => Scope::Partition(self.bytes(name)?),
            None if arguments.unpartitioned => Scope::Unpartitioned,
            None => Scope::All,
        })
    }
}
