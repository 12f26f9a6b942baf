//! Asking sentinels which server is the primary, and following what they announce.

use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::Value;

use super::{Routes, Shard, Topology};
use crate::command::Command;
use crate::config::Address;
use crate::connect::{Connection, Purpose, Pushes, Trouble, UNLIMITED, pause};
use crate::errors::{Fault, Sent};

/// How long one sentinel may take to answer before the next one is asked.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long a sentinel may say nothing before it is asked whether it is there.
const QUIET: Duration = Duration::from_secs(1);

/// The pause before subscribing again after all sentinels were lost.
const AGAIN: Duration = Duration::from_millis(200);

impl Topology {
    /// Asks sentinels in order; the first whose primary says itself that it is one counts.
    pub(super) async fn discover_sentinel(&self, master: &str) -> Result<Routes, Trouble> {
        let mut trouble = Trouble::from(Fault::NoPrimary);
        for sentinel in self.sentinels() {
            match self.ask_sentinel(&sentinel, master).await {
                Ok(routes) => {
                    self.prefer_sentinel(&sentinel);
                    return Ok(routes);
                }
                Err(error) => {
                    tracing::debug!(%sentinel, trouble = %error, "no primary from this sentinel");
                    // What nobody can wait out is worth more to the caller than the last word.
                    if !trouble.is_permanent() {
                        trouble = error;
                    }
                }
            }
        }
        Err(trouble)
    }

    async fn ask_sentinel(&self, sentinel: &Address, master: &str) -> Result<Routes, Trouble> {
        let connected = self.connector().connect(sentinel, Purpose::Sentinel);
        let asked = async {
            let connection = connected.await?;
            let primary = ask(&connection, "get-master-addr-by-name", master).await?;
            let replicas = ask(&connection, "replicas", master).await?;
            let others = ask(&connection, "sentinels", master).await?;
            Ok::<_, Trouble>((primary, replicas, others))
        };
        let asked = tokio::time::timeout(PATIENCE, asked).await;
        let (primary, replicas, others) = asked.map_err(|_| Fault::NoPrimary)??;
        let primary = primary_of(&primary).ok_or(Fault::NoPrimary)?;
        self.learn_sentinels(servers_of(&others, |_| true));
        let replicas = if self.reads_from_replicas() {
            servers_of(&replicas, |flags| {
                flags.split(',').all(|flag| !matches!(flag, "s_down" | "o_down" | "disconnected"))
            })
        } else {
            Vec::new()
        };
        let node = self.node(&primary, Purpose::Primary);
        // Its greeting asks for its role: a sentinel may know less than the server itself.
        node.point().connection().await?;
        let replicas = replicas.iter().map(|address| self.node(address, Purpose::Any)).collect();
        Ok(Routes::single(Shard { primary: node, replicas }))
    }

    /// Looks the primary up whenever a sentinel announces another one, until the store is dropped.
    pub(super) async fn follow_sentinels(topology: Weak<Self>) {
        loop {
            let Some(strong) = topology.upgrade() else { return };
            let subscribed = strong.subscribe_to_any().await;
            if let Some(mut pushes) = subscribed {
                // What was announced between two subscriptions would be missed.
                drop(strong.refresh().await);
                drop(strong);
                while let Some(message) = next_of(&mut pushes).await {
                    let Some(strong) = topology.upgrade() else { return };
                    if message.kind == redis::PushKind::Message {
                        tracing::info!("a sentinel announces a new primary");
                        strong.refresh_until_changed().await;
                    }
                }
            } else {
                drop(strong);
            }
            pause(AGAIN).await;
        }
    }

    async fn subscribe_to_any(&self) -> Option<Pushes> {
        for sentinel in self.sentinels() {
            let subscribed = async {
                let pushes =
                    Pushes::connect(self.connector(), &sentinel, Purpose::Sentinel).await?;
                let mut subscribe = Command::new("SUBSCRIBE");
                subscribe.arg("+switch-master");
                pushes.connection().one(&subscribe, UNLIMITED).await?;
                Ok::<_, Trouble>(pushes)
            };
            match tokio::time::timeout(PATIENCE, subscribed).await {
                Ok(Ok(pushes)) => return Some(pushes),
                Ok(Err(trouble)) => tracing::debug!(%sentinel, %trouble, "cannot subscribe"),
                Err(_) => tracing::debug!(%sentinel, "cannot subscribe in time"),
            }
        }
        None
    }

    /// Begins to follow the sentinels, on the runtime of the caller.
    pub(super) fn start_following(self: &Arc<Self>) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let mut follower = self.follower().lock();
            if follower.as_ref().is_none_or(tokio::task::AbortHandle::is_finished) {
                let task = runtime.spawn(Self::follow_sentinels(Arc::downgrade(self)));
                *follower = Some(task.abort_handle());
            }
        }
    }
}

/// The next message; `None` once the sentinel is gone, which a sentinel with nothing to say must
/// disprove every now and then.
async fn next_of(pushes: &mut Pushes) -> Option<redis::PushInfo> {
    loop {
        if let Ok(message) = tokio::time::timeout(QUIET, pushes.next()).await {
            return message;
        }
        let ping = Command::new("PING");
        let asked = tokio::time::timeout(PATIENCE, pushes.connection().one(&ping, UNLIMITED)).await;
        if !matches!(asked, Ok(Ok(_))) {
            return None;
        }
    }
}

async fn ask(connection: &Connection, what: &str, master: &str) -> Result<Value, Trouble> {
    let mut command = Command::new("SENTINEL");
    command.arg(what).arg(master);
    let answer = connection.one(&command, UNLIMITED).await?;
    answer.extract_error().map_err(|error| Trouble::Redis(error, Sent::No))
}

fn primary_of(answer: &Value) -> Option<Address> {
    let Value::Array(fields) = answer else { return None };
    let [host, port] = fields.as_slice() else { return None };
    Some(Address::tcp(text(host)?, text(port)?.parse().ok()?))
}

/// The servers of an answer whose flags are `wanted`.
fn servers_of(answer: &Value, wanted: impl Fn(&str) -> bool) -> Vec<Address> {
    let Value::Array(servers) = answer else { return Vec::new() };
    let address = |server: &Value| {
        let Value::Array(fields) = server else { return None };
        let field = |name: &str| {
            let mut pairs = fields.chunks_exact(2);
            pairs.find_map(|pair| match pair {
                [key, value] if text(key) == Some(name) => text(value),
                _ => None,
            })
        };
        let usable = wanted(field("flags").unwrap_or_default());
        let address = Address::tcp(field("ip")?, field("port")?.parse().ok()?);
        usable.then_some(address)
    };
    servers.iter().filter_map(address).collect()
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(texts: &[&str]) -> Value {
        Value::Array(texts.iter().map(|text| Value::BulkString(text.as_bytes().to_vec())).collect())
    }

    #[test]
    fn answers_of_sentinels_are_read_and_servers_that_are_down_left_out() {
        assert_eq!(
            primary_of(&strings(&["10.0.0.1", "6379"])),
            Some(Address::tcp("10.0.0.1", 6379))
        );
        assert_eq!(primary_of(&Value::Nil), None);
        let servers = Value::Array(vec![
            strings(&["name", "a", "ip", "10.0.0.2", "port", "1", "flags", "slave"]),
            strings(&["name", "b", "ip", "10.0.0.3", "port", "2", "flags", "s_down,slave"]),
            strings(&["name", "c", "ip", "10.0.0.4", "port", "x", "flags", "slave"]),
            Value::Nil,
        ]);
        let up = servers_of(&servers, |flags| !flags.contains("s_down"));
        assert_eq!(up, [Address::tcp("10.0.0.2", 1)]);
    }
}
