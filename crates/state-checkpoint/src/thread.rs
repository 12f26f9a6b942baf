//! Typed threads: a serde struct with a history, whose fields are the channels.

mod fields;
#[cfg(feature = "msgpack")]
mod msgpack;
mod saved;
mod saving;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use state_core::checkpoint::{
    Checkpoint, CheckpointId, CheckpointRef, CheckpointTuple, Checkpointer, CheckpointerExt,
    ListCheckpoints, Metadata, Ownership, Payload, PutCheckpoint, ThreadId, ThreadLifetime,
    TouchThread,
};
use state_core::{BoxStream, Error, ErrorKind, Result};

pub use fields::{Fields, JsonFields, StateFormat};
#[cfg(feature = "msgpack")]
pub use msgpack::MessagePackFields;
pub use saved::Saved;

use self::saved::next_version;
use self::saving::Saving;
use crate::engine::Checkpoints;
use crate::store::ThreadStore;

/// How often an update is tried while others are faster.
const UPDATES_MAX: usize = 100;

/// Threads of states of one type, by name.
///
/// `S` is any type that serialises as a map with text keys, such as a struct with named fields;
/// each of its top-level fields is a channel. Nobody declares what changed: fields are compared
/// by their bytes, and of a field that changed, what is new is stored.
///
/// ```
/// # use state_core::{Namespace, Result};
/// use serde::{Deserialize, Serialize};
/// use state_checkpoint::Checkpoints;
/// use state_local::MemoryStore;
///
/// #[derive(Default, Deserialize, Serialize)]
/// struct Chat {
///     messages: Vec<String>,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let store = MemoryStore::new().open(Namespace::default())?;
/// let chat = Checkpoints::open(store)?.thread::<Chat>("chat 1");
/// let mut state = chat.load().await?.unwrap_or_default();
/// while state.messages.len() < 3 {
///     state.messages.push(format!("step {}", state.messages.len()));
///     chat.save(&state).await?;
/// }
/// assert_eq!(chat.load().await?.unwrap().messages.len(), 3);
/// # Ok(())
/// # }
/// ```
pub struct Threads<S, F = JsonFields> {
    checkpoints: Arc<dyn Checkpointer>,
    ids: crate::CheckpointIds,
    clock: Arc<dyn state_core::Clock>,
    types: PhantomData<fn(S, F) -> S>,
}

/// One thread of states of one type. See [`Threads`].
///
/// Whose it is, and what belongs to each state that is saved, is said once:
///
/// ```
/// # use state_core::{Fence, FenceToken, Namespace, Result};
/// # use state_core::checkpoint::Ownership;
/// # use serde::{Deserialize, Serialize};
/// # use state_checkpoint::{Checkpoints, Thread};
/// # use state_local::MemoryStore;
/// # #[derive(Default, Deserialize, Serialize)]
/// # struct Job { items: u64 }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// # let store = MemoryStore::new().open(Namespace::default())?;
/// # let fence = Fence::new("leader", FenceToken::new(1));
/// let job: Thread<Job> = Checkpoints::open(store)?
///     .thread("job")
///     .with_ownership(Ownership::Holder(fence))
///     .with_run("run 7");
/// job.save(&Job { items: 1 }).await?;
/// # Ok(())
/// # }
/// ```
pub struct Thread<S, F = JsonFields> {
    threads: Threads<S, F>,
    id: ThreadId,
    saving: Saving,
}

#[cfg(feature = "json")]
impl<T: ThreadStore> Checkpoints<T> {
    /// Threads of states of the type `S`, whose fields are written as JSON.
    pub fn typed<S: Serialize + DeserializeOwned>(&self) -> Threads<S> {
        self.typed_as()
    }

    /// The thread `id` of states of the type `S`, whose fields are written as JSON.
    pub fn thread<S: Serialize + DeserializeOwned>(&self, id: impl Into<ThreadId>) -> Thread<S> {
        self.typed_as().thread(id)
    }
}

impl<T: ThreadStore> Checkpoints<T> {
    /// Threads of states of the type `S`, whose fields are written as `F` says.
    ///
    /// A thread has one format: what is written in another one is `Unsupported` when it is loaded.
    pub fn typed_as<S: Serialize + DeserializeOwned, F: StateFormat>(&self) -> Threads<S, F> {
        Threads {
            checkpoints: Arc::new(self.clone()),
            ids: self.ids().clone(),
            clock: Arc::clone(&self.options().clock),
            types: PhantomData,
        }
    }
}

impl<S: Serialize + DeserializeOwned, F: StateFormat> Threads<S, F> {
    /// One of the threads.
    pub fn thread(&self, id: impl Into<ThreadId>) -> Thread<S, F> {
        Thread { threads: self.clone(), id: id.into(), saving: Saving::default() }
    }

    /// Saves a state as the latest of a thread, and returns the id of the checkpoint.
    ///
    /// # Errors
    /// `Invalid` for a type that is no map, and those of
    /// [`put_checkpoint`](Checkpointer::put_checkpoint).
    pub async fn save(&self, thread: impl Into<ThreadId>, state: &S) -> Result<CheckpointId> {
        self.thread(thread).save(state).await
    }

    /// The latest state of a thread; `None` when there is none.
    ///
    /// # Errors
    /// `Corrupt` for a state that is not of this type, and those of
    /// [`get_checkpoint`](Checkpointer::get_checkpoint).
    pub async fn load(&self, thread: impl Into<ThreadId>) -> Result<Option<S>> {
        let latest = self.checkpoints.latest(thread.into()).await?;
        latest.as_ref().map(state_of::<S, F>).transpose()
    }

    /// All states of a thread, the newest first, read page by page.
    pub fn list(&self, thread: impl Into<ThreadId>) -> BoxStream<'_, Result<Saved<S>>>
    where
        S: Send + 'static,
    {
        let list = ListCheckpoints::of(thread).with_namespace(Some("".into()));
        let all = self.checkpoints.list(list.with_limit(usize::MAX));
        all.and_then(|tuple| async move { Saved::of::<F>(&tuple) }).boxed()
    }

    /// Puts a state that continues from `parent`: unchanged fields keep their versions.
    async fn put(
        &self,
        thread: &ThreadId,
        parent: Option<&CheckpointTuple>,
        state: &S,
        saving: &Saving,
    ) -> Result<CheckpointId> {
        let fields = F::split(state)?;
        let id = self.ids.next(parent.map(|parent| &parent.reference.id))?;
        let version = next_version(parent);
        let mut put = PutCheckpoint::new(thread.clone(), Checkpoint::new(id, self.clock.wall()))
            .with_parent(parent.map(|parent| parent.reference.id.clone()))
            .with_metadata(metadata_after(parent, "update"));
        put = saving.apply(put);
        let mut updated = Vec::new();
        for (name, bytes) in fields {
            let payload = Payload::new(F::KIND, bytes);
            let old = parent.filter(|parent| parent.value(&name) == Some(&payload));
            let kept = old.and_then(|parent| parent.checkpoint.channel_versions.get(&*name));
            if let Some(kept) = kept {
                put.checkpoint = put.checkpoint.with_channel(&name, kept.clone());
            } else {
                put.checkpoint = put.checkpoint.with_channel(&name, version);
                updated.push(name.clone());
                put = put.with_value(name, payload);
            }
        }
        put.checkpoint = put.checkpoint.with_updated(updated);
        Ok(self.checkpoints.put_checkpoint(put).await?.reference.id)
    }
}

impl<S: Serialize + DeserializeOwned, F: StateFormat> Thread<S, F> {
    /// The name of the thread.
    pub const fn id(&self) -> &ThreadId {
        &self.id
    }

    /// Sets who may save: the holder of a lease, so that a stale one gets `Fenced`; or whoever is
    /// first where two save at once, so that the other gets `Conflict` and no branch is made.
    /// Default: anyone.
    #[must_use]
    pub fn with_ownership(mut self, ownership: Ownership) -> Self {
        self.saving.ownership = ownership;
        self
    }

    /// Sets metadata of each state that is saved from now on, in place of what was set before.
    /// `source` and `step` are there without it; values of these names take their place.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.saving.metadata = metadata;
        self
    }

    /// Sets the run that each state saved from now on is of, which
    /// [`delete_for_runs`](CheckpointerExt::delete_for_runs) looks for.
    #[must_use]
    pub fn with_run(mut self, run: impl AsRef<str>) -> Self {
        self.saving.run = Some(Arc::from(run.as_ref()));
        self
    }

    /// Sets what a save does to the lifetime of the thread. Default: as configured.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: ThreadLifetime) -> Self {
        self.saving.lifetime = lifetime;
        self
    }

    /// Takes the thread over for the holder of a lease that [`with_ownership`](Self::with_ownership)
    /// names: from then on who held it before gets `Fenced`, so that what is loaded next stays the
    /// latest until this one saves. Returns whether there is such a thread; one that is absent is
    /// not made, and nothing is remembered of it.
    ///
    /// # Errors
    /// `Fenced` for a stale holder, `Invalid` with [`Ownership::ParentIsLatest`].
    pub async fn claim(&self) -> Result<bool> {
        let touch = TouchThread::new(self.id.clone());
        let touch = touch.with_ownership(self.saving.ownership.clone());
        self.threads.checkpoints.touch_thread(touch).await
    }

    /// Saves a state as the latest, and returns the id of its checkpoint.
    ///
    /// # Errors
    /// As [`Threads::save`]; `Fenced` and `Conflict` as
    /// [`with_ownership`](Self::with_ownership) says.
    pub async fn save(&self, state: &S) -> Result<CheckpointId> {
        let latest = self.threads.checkpoints.latest(self.id.clone()).await?;
        self.threads.put(&self.id, latest.as_ref(), state, &self.saving).await
    }

    /// The latest state; `None` when there is none.
    ///
    /// # Errors
    /// As [`Threads::load`].
    pub async fn load(&self) -> Result<Option<S>> {
        self.threads.load(self.id.clone()).await
    }

    /// The state of one checkpoint; `None` when it is absent.
    ///
    /// # Errors
    /// As [`Threads::load`].
    pub async fn load_at(&self, id: &CheckpointId) -> Result<Option<S>> {
        let tuple = self.tuple_at(id).await?;
        tuple.as_ref().map(state_of::<S, F>).transpose()
    }

    /// Changes the latest state, or the default one, and saves it; asks `change` anew when
    /// another was faster, so that no change is lost. Returns the state that was saved.
    ///
    /// The holder of a lease is alone with the thread once it has [claimed](Self::claim) it, and so
    /// it must make one update after the other: a put asks either for its token or for the latest
    /// parent.
    ///
    /// # Errors
    /// As [`save`](Self::save); `Conflict` when others were faster 100 times.
    pub async fn update(&self, mut change: impl FnMut(&mut S) + Send) -> Result<S>
    where
        S: Default + Send,
    {
        let mut tries = 0;
        let mut saving = self.saving.clone();
        if saving.ownership == Ownership::Anyone {
            saving.ownership = Ownership::ParentIsLatest;
        }
        loop {
            let latest = self.threads.checkpoints.latest(self.id.clone()).await?;
            let mut state = latest.as_ref().map(state_of::<S, F>).transpose()?.unwrap_or_default();
            change(&mut state);
            match self.threads.put(&self.id, latest.as_ref(), &state, &saving).await {
                Ok(_) => return Ok(state),
                Err(error) if error.kind() == ErrorKind::Conflict && tries < UPDATES_MAX => {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// All states, the newest first, read page by page.
    pub fn history(&self) -> BoxStream<'_, Result<Saved<S>>>
    where
        S: Send + 'static,
    {
        self.threads.list(self.id.clone())
    }

    /// Makes another thread of the checkpoint `id` and what it descends from. That belongs to
    /// nobody, and its lifetime is as configured; metadata and run are set for it as well.
    ///
    /// # Errors
    /// `Invalid` when the checkpoint is absent, `Conflict` when the other thread exists.
    pub async fn fork(&self, id: &CheckpointId, to: impl Into<ThreadId>) -> Result<Self> {
        let to = to.into();
        let from = CheckpointRef::new(self.id.clone(), id.clone());
        if self.threads.checkpoints.fork(&from, to.clone()).await? == 0 {
            return Err(absent());
        }
        let saving = Saving {
            ownership: Ownership::Anyone,
            lifetime: ThreadLifetime::Default,
            ..self.saving.clone()
        };
        Ok(Self { threads: self.threads.clone(), id: to, saving })
    }

    /// Makes the state of the checkpoint `id` the latest again, as a branch from there. What
    /// came after it stays in the history.
    ///
    /// # Errors
    /// `Invalid` when the checkpoint is absent; `Fenced` for a stale holder of a lease, and with
    /// [`Ownership::ParentIsLatest`] `Conflict` unless it is the latest already.
    pub async fn rewind(&self, id: &CheckpointId) -> Result<CheckpointId> {
        let checkpoints = &self.threads.checkpoints;
        let tuple = self.tuple_at(id).await?.ok_or_else(absent)?;
        let latest = checkpoints.latest(self.id.clone()).await?;
        let newest = latest.map_or_else(|| id.clone(), |latest| latest.reference.id);
        let id = self.threads.ids.next(Some(&newest))?;
        let mut checkpoint = tuple.checkpoint.clone();
        (checkpoint.id, checkpoint.time) = (id, self.threads.clock.wall());
        let put = PutCheckpoint::new(self.id.clone(), checkpoint)
            .with_parent(Some(tuple.reference.id.clone()))
            .with_metadata(metadata_after(Some(&tuple), "fork"));
        Ok(checkpoints.put_checkpoint(self.saving.apply(put)).await?.reference.id)
    }

    async fn tuple_at(&self, id: &CheckpointId) -> Result<Option<CheckpointTuple>> {
        let reference = CheckpointRef::new(self.id.clone(), id.clone());
        self.threads.checkpoints.at(&reference).await
    }
}

/// The state that a checkpoint holds.
fn state_of<S: DeserializeOwned, F: StateFormat>(tuple: &CheckpointTuple) -> Result<S> {
    let fields = tuple
        .values
        .iter()
        .filter_map(|(name, value)| value.payload().map(|payload| (&**name, payload)));
    let mut split = Vec::new();
    for (name, payload) in fields {
        if payload.kind() != F::KIND {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a field of the state is written in another format",
            ));
        }
        split.push((name, &**payload.bytes()));
    }
    F::join(&split)
}

fn metadata_after(parent: Option<&CheckpointTuple>, source: &str) -> Metadata {
    let step = parent.and_then(|parent| parent.metadata.step()).map_or(0, |step| step + 1);
    Metadata::new().with("source", source).with("step", step)
}

fn absent() -> Error {
    Error::invalid("there is no such checkpoint")
}

impl<S, F> Clone for Threads<S, F> {
    fn clone(&self) -> Self {
        Self {
            checkpoints: Arc::clone(&self.checkpoints),
            ids: self.ids.clone(),
            clock: Arc::clone(&self.clock),
            types: PhantomData,
        }
    }
}

impl<S, F> Clone for Thread<S, F> {
    fn clone(&self) -> Self {
        Self { threads: self.threads.clone(), id: self.id.clone(), saving: self.saving.clone() }
    }
}

impl<S, F> fmt::Debug for Threads<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").field("checkpoints", &self.checkpoints).finish_non_exhaustive()
    }
}

impl<S, F> fmt::Debug for Thread<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").field("id", &self.id).finish_non_exhaustive()
    }
}
