//! Opens the store that a URL names; the only place that names concrete stores.

use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;

use serde::Serialize;
use state_checkpoint::{CheckpointOptions, Checkpoints};
#[cfg(feature = "redis")]
use state_core::ErrorKind;
use state_core::checkpoint::Checkpointer;
#[cfg(feature = "redis")]
use state_core::checkpoint::CheckpointerExt;
use state_core::{Namespace, StateBackend};
use state_local::{FileStore, MemoryStore};
#[cfg(feature = "redis")]
use state_redis::{Finding, RedisBackend, RedisConfig, RedisStore, ServerInfo};

#[cfg(feature = "redis")]
use crate::checkpoint::walk;
use crate::context::Access;
use crate::failure::Failure;
use crate::store_url::StoreUrl;

/// A command that reads one key must not read a large file as a whole first: beyond this size each
/// record is checked when it is read.
pub(crate) const VERIFY_BYTES_MAX: u64 = 16 << 20;

/// A store that is open.
#[derive(Debug)]
pub(crate) enum Store {
    Memory(MemoryStore),
    File {
        store: FileStore,
        path: PathBuf,
        /// Whether there was no file before.
        made: bool,
    },
    #[cfg(feature = "redis")]
    Redis(RedisStore),
}

impl Store {
    /// Opens the store at `url`.
    pub(crate) async fn open(url: &StoreUrl, access: Access) -> Result<Self, Failure> {
        match url {
            StoreUrl::Memory => Ok(Self::Memory(MemoryStore::new())),
            StoreUrl::File(path) => Self::open_file(path, access).await,
            #[cfg(feature = "redis")]
            StoreUrl::Redis(config) => connect(config).await.map(Self::Redis),
        }
    }

    async fn open_file(path: &Path, access: Access) -> Result<Self, Failure> {
        let made = !path.exists();
        if access != Access::Create && made {
            return Err(Failure::no_store(path));
        }
        // An empty file may become a store, as an absent one does: by writing.
        let is_empty = |metadata: std::fs::Metadata| metadata.is_file() && metadata.len() == 0;
        if access != Access::Create && std::fs::metadata(path).is_ok_and(is_empty) {
            return Err(Failure::empty_store(path));
        }
        let path = absolute(path).map_err(|error| Failure::file("opening", path, &error))?;
        let settings = FileStore::builder().verify_bytes_max(VERIFY_BYTES_MAX);
        let store = settings.open(&path).await?;
        Ok(Self::File { store, path, made })
    }

    #[cfg_attr(
        not(feature = "redis"),
        expect(clippy::unused_async, unused_variables, reason = "only servers are waited for")
    )]
    pub(crate) async fn namespace(
        &self,
        namespace: Namespace,
        access: Access,
    ) -> Result<Arc<dyn StateBackend>, Failure> {
        Ok(match self {
            Self::Memory(store) => Arc::new(store.open(namespace)?),
            Self::File { store, .. } => Arc::new(store.open(namespace)?),
            #[cfg(feature = "redis")]
            Self::Redis(store) => Arc::new(open_on_server(store, namespace, access).await?),
        })
    }

    /// The namespaces that hold something or have held it; of a memory store, which only this
    /// command sees, none. `None` where the store keeps no list of them.
    pub(crate) fn namespaces(&self) -> Result<Option<Vec<Namespace>>, Failure> {
        match self {
            Self::Memory(_) => Ok(Some(Vec::new())),
            Self::File { store, .. } => Ok(Some(store.namespaces()?)),
            #[cfg(feature = "redis")]
            Self::Redis(_) => Ok(None),
        }
    }

    /// Whether there are threads of checkpoints in `namespace` that are no entries, so that what
    /// copies entries does not copy them: on a server.
    #[cfg_attr(
        not(feature = "redis"),
        expect(clippy::unused_async, unused_variables, reason = "only servers are asked")
    )]
    pub(crate) async fn has_threads_of_their_own(
        &self,
        namespace: &Namespace,
    ) -> Result<bool, Failure> {
        match self {
            Self::Memory(_) | Self::File { .. } => Ok(false),
            #[cfg(feature = "redis")]
            Self::Redis(store) => {
                let threads = store.checkpoints(namespace.clone(), CheckpointOptions::new())?;
                match walk::next(&mut threads.threads()).await {
                    // Who may not see threads has none here.
                    Err(error) if error.kind() == ErrorKind::Denied => Ok(false),
                    first => Ok(first?.is_some()),
                }
            }
        }
    }

    /// The servers behind the store; none for a store in this process.
    #[cfg_attr(
        not(feature = "redis"),
        expect(clippy::unused_async, reason = "only servers are waited for")
    )]
    pub(crate) async fn servers(&self) -> Result<Vec<Server>, Failure> {
        match self {
            Self::Memory(_) | Self::File { .. } => Ok(Vec::new()),
            #[cfg(feature = "redis")]
            Self::Redis(store) => Ok(servers(store.server_info().await)?),
        }
    }

    /// Removes the file again if this command has made it and nothing was ever written to it.
    ///
    /// It is removed while it is open: nobody else can have opened it, and who opens the path
    /// from now on makes a store anew.
    pub(crate) fn take_back(self) -> Result<(), Failure> {
        match &self {
            Self::File { store, path, made: true } if store.namespaces()?.is_empty() => {
                std::fs::remove_file(path).map_err(|error| Failure::file("removing", path, &error))
            }
            _ => Ok(()),
        }
    }
}

/// One server behind a store.
#[derive(Debug, Serialize)]
pub(crate) struct Server {
    pub(crate) address: String,
    /// Null where it does not answer, like everything behind it.
    pub(crate) product: Option<String>,
    pub(crate) role: Option<&'static str>,
    pub(crate) mode: Option<String>,
    pub(crate) uptime_s: Option<u64>,
    pub(crate) clients: Option<u64>,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) memory_limit_bytes: Option<u64>,
    pub(crate) append_only_file: Option<bool>,
    pub(crate) replicas: Option<u32>,
    pub(crate) link_up: Option<bool>,
}

/// A user who may not ask the servers is shown none.
#[cfg(feature = "redis")]
fn servers(told: state_core::Result<ServerInfo>) -> state_core::Result<Vec<Server>> {
    let told = match told {
        Err(error) if error.kind() == ErrorKind::Denied => return Ok(Vec::new()),
        told => told?,
    };
    let nodes = told.nodes.into_iter().map(|node| Server {
        address: node.address,
        product: Some(format!("{} {}", node.product.name(), node.version)),
        role: Some(node.role.name()),
        mode: Some(node.mode),
        uptime_s: Some(node.uptime.as_secs()),
        clients: Some(node.clients),
        memory_bytes: Some(node.memory_bytes),
        memory_limit_bytes: node.memory_limit_bytes,
        append_only_file: Some(node.append_only_file),
        replicas: Some(node.replicas),
        link_up: node.link_up,
    });
    let silent = told.unreachable.into_iter().map(|address| Server {
        address,
        product: None,
        role: None,
        mode: None,
        uptime_s: None,
        clients: None,
        memory_bytes: None,
        memory_limit_bytes: None,
        append_only_file: None,
        replicas: None,
        link_up: None,
    });
    Ok(nodes.chain(silent).collect())
}

/// Opens `namespace` of the store at `url`.
pub(crate) async fn open(
    url: &StoreUrl,
    namespace: Namespace,
    access: Access,
) -> Result<Arc<dyn StateBackend>, Failure> {
    Store::open(url, access).await?.namespace(namespace, access).await
}

/// Opens the threads of checkpoints in `namespace` of the store at `url`.
pub(crate) async fn checkpoints(
    url: &StoreUrl,
    namespace: Namespace,
    access: Access,
) -> Result<Arc<dyn Checkpointer>, Failure> {
    match url {
        StoreUrl::Memory | StoreUrl::File(_) => {
            let backend = open(url, namespace, access).await?;
            Ok(Arc::new(Checkpoints::open_with(backend, CheckpointOptions::new())?))
        }
        #[cfg(feature = "redis")]
        StoreUrl::Redis(config) => {
            let store = connect(config).await?;
            Ok(Arc::new(store.checkpoints(namespace, CheckpointOptions::new())?))
        }
    }
}

#[cfg(feature = "redis")]
async fn open_on_server(
    store: &RedisStore,
    namespace: Namespace,
    access: Access,
) -> Result<RedisBackend, Failure> {
    let opened = match access {
        Access::Read => store.open_to_read(namespace).await,
        Access::Existing | Access::Create => store.open(namespace).await,
    };
    opened.map_err(|error| {
        let placed = error.to_string().contains("partitioner: ");
        let failure = Failure::from(error);
        if placed { failure.with_next(PARTITIONED) } else { failure }
    })
}

/// What to do about a namespace whose keys are placed by a rule that is part of another program.
#[cfg(feature = "redis")]
const PARTITIONED: &str = "a program places the keys of this namespace by a rule of its own, which statectl does not \
                           have: look into it with that program";

#[cfg(feature = "redis")]
async fn connect(config: &RedisConfig) -> Result<RedisStore, Failure> {
    let connected = RedisStore::connect_with(config.clone()).await;
    connected.map_err(|error| not_reached(config, error))
}

/// What the servers of a store lack; some of them need not answer.
#[cfg(feature = "redis")]
pub(crate) async fn diagnose(config: &RedisConfig) -> Result<Vec<Finding>, Failure> {
    let diagnosed = RedisStore::diagnose_with(config.clone()).await;
    diagnosed.map_err(|error| not_reached(config, error))
}

#[cfg(feature = "redis")]
fn not_reached(config: &RedisConfig, error: state_core::Error) -> Failure {
    let place = config.redacted_url();
    let next = match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Timeout => {
            format!("check that the server runs and can be reached from here: {place}")
        }
        ErrorKind::Denied => format!(
            "check the user, the password and the certificates for {place}; in a URL, \
             characters such as `@`, `/` and `%` of a password are percent-encoded"
        ),
        ErrorKind::Invalid => format!("mend the URL of {place}"),
        _ => return Failure::from(error),
    };
    Failure::from(error).with_next(next)
}
