//! The sides of a comparison: gets and puts through the driver, through a plain connection, and through a pool.

use std::sync::Arc;

use bytes::Bytes;
use deadpool_redis::Pool;
use redis::Cmd;
use redis::aio::ConnectionLike;
use state_core::{GetOptions, Key, PutOptions, StateBackend, WriteOp};
use state_tests::bench::{Caller, Outcome};

use super::ground::{plain_name, write_all};

/// What a call does.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Get,
    Put(Bytes),
}

impl Work {
    /// A get and a put of a value of this size, with their names.
    pub(crate) fn both(value_bytes: usize) -> [(&'static str, Self); 2] {
        [("get", Self::Get), ("put", Self::Put(value(value_bytes)))]
    }

    fn command(&self, key: &str) -> Cmd {
        let mut command = Cmd::new();
        match self {
            Self::Get => command.arg("GET").arg(key),
            Self::Put(value) => command.arg("SET").arg(key).arg(value.as_ref()),
        };
        command
    }
}

pub(crate) fn value(bytes: usize) -> Bytes {
    Bytes::from(vec![b'v'; bytes])
}

/// Keys of one size of values, named alike on both sides.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    names: Arc<[String]>,
    keys: Arc<[Key]>,
}

impl Keys {
    pub(crate) fn new(value_bytes: usize, count: usize) -> Self {
        let names = (0..count).map(|index| format!("{value_bytes}:{index:06}"));
        let names: Vec<String> = names.collect();
        let keys = names.iter().map(Key::from).collect();
        Self { keys, names: names.iter().map(|name| plain_name(name)).collect() }
    }

    pub(crate) fn name(&self, number: usize) -> Outcome<&str> {
        let name = self.names.get(number % self.names.len().max(1));
        Ok(name.map(String::as_str).ok_or("no key")?)
    }

    pub(crate) fn key(&self, number: usize) -> Outcome<&Key> {
        Ok(self.keys.get(number % self.keys.len().max(1)).ok_or("no key")?)
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Writes a value to each key, on both sides.
    pub(crate) async fn fill(
        &self,
        backend: &dyn StateBackend,
        mut plain: impl ConnectionLike + Send,
        value_bytes: usize,
    ) -> Outcome<()> {
        let value = value(value_bytes);
        let ops = self.keys.iter().map(|key| WriteOp::put(key.clone(), value.clone())).collect();
        write_all(backend, ops).await?;
        for name in self.names() {
            let command = Work::Put(value.clone()).command(name);
            command.query_async::<()>(&mut plain).await?;
        }
        Ok(())
    }
}

/// Through the driver.
#[derive(Clone, Debug)]
pub(crate) struct Ours {
    pub(crate) backend: Arc<dyn StateBackend>,
    pub(crate) keys: Keys,
    pub(crate) work: Work,
}

impl Caller for Ours {
    fn for_task(&self, _task: usize) -> Self {
        self.clone()
    }

    async fn call(&mut self, number: usize) -> Outcome<()> {
        let key = self.keys.key(number)?;
        match &self.work {
            Work::Get => {
                let entry = self.backend.get_opts(key, GetOptions::new()).await?;
                entry.ok_or("an entry is missing")?;
            }
            Work::Put(value) => {
                self.backend.put_opts(key, value.clone(), PutOptions::new()).await?;
            }
        }
        Ok(())
    }
}

/// Through a connection of the client: each task has a clone, as its documentation advises.
#[derive(Clone)]
pub(crate) struct Plain<C> {
    pub(crate) connection: C,
    pub(crate) keys: Keys,
    pub(crate) work: Work,
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> Caller for Plain<C> {
    fn for_task(&self, _task: usize) -> Self {
        self.clone()
    }

    async fn call(&mut self, number: usize) -> Outcome<()> {
        let command = self.work.command(self.keys.name(number)?);
        ask(&command, &self.work, &mut self.connection).await
    }
}

/// Through a pool: each call checks a connection out.
#[derive(Clone)]
pub(crate) struct Pooled {
    pub(crate) pool: Pool,
    pub(crate) keys: Keys,
    pub(crate) work: Work,
}

impl Caller for Pooled {
    fn for_task(&self, _task: usize) -> Self {
        self.clone()
    }

    async fn call(&mut self, number: usize) -> Outcome<()> {
        let command = self.work.command(self.keys.name(number)?);
        let mut connection = self.pool.get().await?;
        ask(&command, &self.work, &mut *connection).await
    }
}

async fn ask(
    command: &Cmd,
    work: &Work,
    connection: &mut (impl ConnectionLike + Send),
) -> Outcome<()> {
    match work {
        Work::Get => {
            let found: Option<Vec<u8>> = command.query_async(connection).await?;
            found.ok_or("a key is missing")?;
        }
        Work::Put(_) => command.query_async::<()>(connection).await?,
    }
    Ok(())
}
