//! What a server says of itself: which one it is, and what it holds.
//!
//! A listing by cursor is complete when no server has changed its own view meanwhile. Routes cannot
//! tell that: they are what this client has heard, and a `SCAN` is never redirected.

use std::collections::BTreeMap;

use redis::Value;

use crate::command::Command;
use crate::config::Address;
use crate::info::Info;

/// One server as it sees itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct View {
    /// Its id in the cluster; empty where there is none.
    pub(crate) name: String,
    /// Changes with a restart, which makes cursors meaningless, with its role, and in a cluster with
    /// its epoch, its slots, those on the move included, and with keys that came from another node:
    /// a slot that went and came back may have left no other trace. Where keys are expected to come,
    /// they are not counted.
    pub(crate) digest: u64,
    /// Whether a slot is on its way to it, so that keys may come at any time.
    pub(crate) imports: bool,
    /// All nodes that hold keys, as far as it knows: those with slots, and the other ends of slots
    /// that move from or to it.
    pub(crate) holders: BTreeMap<String, Option<Address>>,
}

/// What `INFO commandstats` calls the command by which `MIGRATE` hands a key to another node, and
/// the one that sets such counts to 0. They count time as well, so that a count which was reset and
/// has grown again is another one.
const ARRIVALS: [&str; 2] = ["cmdstat_restore-asking", "cmdstat_config|resetstat"];

/// The questions whose answers [`View::read`] reads.
pub(crate) fn questions(cluster: bool) -> [Command; 2] {
    let words = |name: &str, word: &str| {
        let mut command = Command::new(name);
        command.arg(word);
        command
    };
    if !cluster {
        return [words("INFO", "server"), words("INFO", "replication")];
    }
    let mut info = words("INFO", "server");
    info.arg("commandstats");
    [info, words("CLUSTER", "NODES")]
}

impl View {
    /// Reads the answers to [`questions`]; `None` if they are no such answers.
    pub(crate) fn read(cluster: bool, server: &Value, second: &Value) -> Option<Self> {
        let server = Info::read(server);
        let run = server.field("run_id").unwrap_or_default();
        if !cluster {
            let replication = Info::read(second);
            let role = replication.field("role")?;
            return Some(Self { digest: digest([run, role]), ..Self::default() });
        }
        let text = Info::read(second);
        let lines = || text.lines().filter_map(Line::read);
        let own = lines().find(Line::is_own)?;
        let mut view = Self { name: own.name.to_owned(), ..Self::default() };
        let role = if own.has("master") { "master" } else { "slave" };
        let marks: Vec<Mark<'_>> = own.slots.iter().filter_map(|slot| Mark::read(slot)).collect();
        view.imports = marks.iter().any(|mark| mark.imports);
        let counted = |name| server.field(name).filter(|_| !view.imports).unwrap_or_default();
        let said = [run, role, own.epoch].into_iter().chain(ARRIVALS.map(counted));
        view.digest = digest(said.chain(own.slots.iter().copied()));
        for line in lines() {
            let is_peer = marks.iter().any(|mark| mark.peer == line.name);
            if !line.slots.is_empty() || is_peer {
                view.holders.insert(line.name.to_owned(), line.address());
            }
        }
        Some(view)
    }
}

/// A line of `CLUSTER NODES`.
pub(crate) struct Line<'t> {
    pub(crate) name: &'t str,
    address: &'t str,
    flags: &'t str,
    /// The id of its primary; `-` for none.
    pub(crate) primary: &'t str,
    epoch: &'t str,
    /// Slots, ranges of them, and marks of those that move.
    pub(crate) slots: Vec<&'t str>,
}

impl<'t> Line<'t> {
    pub(crate) fn read(line: &'t str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (name, address, flags) = (words.next()?, words.next()?, words.next()?);
        let primary = words.next()?;
        let epoch = words.nth(2)?;
        words.next()?;
        Some(Self { name, address, flags, primary, epoch, slots: words.collect() })
    }

    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.split(',').any(|known| known == flag)
    }

    fn is_own(&self) -> bool {
        self.has("myself")
    }

    /// `ip:port@bus[,host…]`.
    pub(crate) fn address(&self) -> Option<Address> {
        let (client, rest) = self.address.split_once('@')?;
        let (ip, port) = client.rsplit_once(':')?;
        let named = rest.split(',').nth(1).unwrap_or_default();
        let host = if ip.is_empty() { named } else { ip };
        let port = port.parse().ok().filter(|port| *port != 0)?;
        (!host.is_empty()).then(|| Address::tcp(host, port))
    }
}

/// A slot that moves: `[slot->-id]` goes to the peer, `[slot-<-id]` comes from there.
struct Mark<'t> {
    peer: &'t str,
    imports: bool,
}

impl<'t> Mark<'t> {
    fn read(slot: &'t str) -> Option<Self> {
        let mark = slot.strip_prefix('[')?.strip_suffix(']')?;
        let goes = mark.split_once("->-").map(|(_, peer)| Self { peer, imports: false });
        goes.or_else(|| mark.split_once("-<-").map(|(_, peer)| Self { peer, imports: true }))
    }
}

/// FNV-1a. It travels in page tokens, so every build must make the same of it.
fn digest<'t>(words: impl IntoIterator<Item = &'t str>) -> u64 {
    let bytes = words.into_iter().flat_map(|word| word.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn view(run: &str, nodes: &str) -> View {
        View::read(true, &text(&format!("run_id:{run}\r\n")), &text(nodes)).unwrap()
    }

    fn nodes(own: &str) -> String {
        format!(
            "aa 10.0.0.1:1@11 myself,master - 0 0 {own}\n\
             bb 10.0.0.2:2@12,host master - 0 1699 2 connected 101-200\n\
             cc 10.0.0.3:3@13 master - 0 1700 0 connected\n\
             dd :0@0 master,noaddr - 0 1700 4 disconnected 300\n\
             ee 10.0.0.1:5@15 slave aa 0 1700 1 connected\n"
        )
    }

    #[test]
    fn the_digest_changes_with_whatever_moves_keys_and_with_nothing_else() {
        let base = view("r1", &nodes("1 connected 0-100"));
        assert_eq!(base.name, "aa");
        assert_eq!(base, view("r1", &nodes("1 connected 0-100").replace("1699", "1800")));
        let changed = [
            view("r2", &nodes("1 connected 0-100")),
            view("r1", &nodes("7 connected 0-100")),
            view("r1", &nodes("1 connected 0-99")),
            view("r1", &nodes("1 connected 0-100 [7->-bb]")),
            view("r1", &nodes("1 connected 0-100 [7-<-bb]")),
            view("r1", &nodes("1 connected 0-100").replace("myself,master", "myself,slave")),
            view("r1\r\ncmdstat_restore-asking:calls=1,usec=9", &nodes("1 connected 0-100")),
            view("r1\r\ncmdstat_restore-asking:calls=2,usec=9", &nodes("1 connected 0-100")),
            view("r1\r\ncmdstat_config|resetstat:calls=1,usec=9", &nodes("1 connected 0-100")),
        ];
        for (index, one) in changed.iter().enumerate() {
            assert_ne!(one.digest, base.digest, "{index}");
            assert!(changed.iter().skip(index + 1).all(|other| other.digest != one.digest));
        }
    }

    #[test]
    fn keys_that_come_count_where_none_are_expected() {
        let after = |calls: u32, own: &str| {
            view(&format!("r1\r\ncmdstat_restore-asking:calls={calls},usec=9"), &nodes(own))
        };
        for quiet in ["1 connected 0-100", "1 connected 0-100 [7->-bb]"] {
            assert!(!after(1, quiet).imports);
            assert_ne!(after(1, quiet), after(2, quiet));
        }
        for open in ["1 connected 0-100 [150-<-bb]", "1 connected 0-100 [7->-cc] [150-<-bb]"] {
            assert!(after(1, open).imports);
            assert_eq!(after(1, open), after(2, open));
        }
    }

    #[test]
    fn holders_are_nodes_with_slots_and_those_that_slots_move_to() {
        let quiet = view("r1", &nodes("1 connected 0-100"));
        assert_eq!(quiet.holders.keys().collect::<Vec<_>>(), ["aa", "bb", "dd"]);
        assert_eq!(quiet.holders["bb"], Some(Address::tcp("10.0.0.2", 2)));
        assert_eq!(quiet.holders["dd"], None);
        let moving = view("r1", &nodes("1 connected 0-100 [7->-cc] [8->-cc] [150-<-bb]"));
        assert_eq!(moving.holders["cc"], Some(Address::tcp("10.0.0.3", 3)));
    }

    #[test]
    fn one_server_is_known_by_its_run_and_its_role() {
        let lone = |run: &str, role: &str| {
            let server = text(&format!("# Server\r\nrun_id:{run}\r\n"));
            View::read(false, &server, &text(&format!("role:{role}\r\n"))).unwrap()
        };
        assert_eq!(lone("a", "master"), lone("a", "master"));
        assert_ne!(lone("a", "master").digest, lone("b", "master").digest);
        assert_ne!(lone("a", "master").digest, lone("a", "slave").digest);
        assert_eq!(View::read(false, &Value::Nil, &Value::Nil), None);
        assert_eq!(View::read(true, &Value::Nil, &text("")), None);
    }
}
