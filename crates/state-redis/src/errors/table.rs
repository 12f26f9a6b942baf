//! The table of all failures.

use state_core::ErrorKind::{
    self, Closed, Conflict, Corrupt, Denied, Fenced, Internal, Invalid, NotColocated, Overloaded,
    Timeout, TooLarge, Unavailable, Unsupported,
};
use state_core::Outcome::{self, NotApplied, Unknown};

use super::Fault;
use super::RetryClass::{self, LoadScript, Never, Reconnect, Redirect, Refresh, SlotMoves, Wait};

/// What a row is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum When {
    /// A reply of the server with this code.
    Code(&'static str),
    /// A reply of the server with this code, whose text begins with this, in lower case.
    Text(&'static str, &'static str),
    /// A failure that no server reported.
    Client(Fault),
    /// A reply of the server that no other row knows.
    Other,
}

/// One row: what a failure means.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) when: When,
    pub(crate) kind: ErrorKind,
    pub(crate) outcome: Outcome,
    pub(crate) class: RetryClass,
    /// The message of the error.
    pub(crate) says: &'static str,
    /// What the user can do about it.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the table of the guide"))]
    pub(crate) remedy: &'static str,
}

const fn row(
    when: When,
    (kind, outcome, class): (ErrorKind, Outcome, RetryClass),
    says: &'static str,
    remedy: &'static str,
) -> Row {
    Row { when, kind, outcome, class, says, remedy }
}

const fn code(
    code: &'static str,
    means: (ErrorKind, Outcome, RetryClass),
    says: &'static str,
    remedy: &'static str,
) -> Row {
    row(When::Code(code), means, says, remedy)
}

const fn err(
    text: &'static str,
    means: (ErrorKind, Outcome, RetryClass),
    says: &'static str,
    remedy: &'static str,
) -> Row {
    row(When::Text("ERR", text), means, says, remedy)
}

const fn client(
    fault: Fault,
    means: (ErrorKind, Outcome, RetryClass),
    says: &'static str,
    remedy: &'static str,
) -> Row {
    row(When::Client(fault), means, says, remedy)
}

const DEFECT: &str = "report it";
const LOGIN: &str = "mend `username` and `password`";
const PERMIT: &str = "grant what the guide on operating lists";
const SHAPE: &str = "choose the topology that the server has";

/// What a server reports when nothing else fits. The write may have happened: nobody knows.
static OTHER: Row = row(
    When::Other,
    (Internal, Unknown, Never),
    "the server answered with an error that is not known",
    DEFECT,
);

/// Every failure. The first row that fits counts, so a text stands before its bare code.
#[rustfmt::skip] // One row to a line: it is a table.
pub(crate) static TABLE: &[Row] = &[
    // The cluster.
    code("MOVED", (Unavailable, NotApplied, Redirect), "the slot has moved (MOVED)", "nothing: it is followed; when it lasts, look at the cluster"),
    code("ASK", (Unavailable, NotApplied, Redirect), "the slot is moving (ASK)", "nothing: it is followed"),
    code("TRYAGAIN", (Unavailable, NotApplied, SlotMoves), "the keys are on two nodes while their slot moves (TRYAGAIN)", "wait until the slot has moved"),
    code("CLUSTERDOWN", (Unavailable, NotApplied, Refresh), "the cluster does not serve the slot (CLUSTERDOWN)", "bring back a node for every slot"),
    code("CROSSSLOT", (NotColocated, NotApplied, Never), "the keys are in different slots (CROSSSLOT)", "give the keys one partition"),
    // The state of the server.
    code("LOADING", (Unavailable, NotApplied, Wait), "the server is loading its data (LOADING)", "wait"),
    code("READONLY", (Unavailable, NotApplied, Refresh), "the server is a replica (READONLY)", "nothing: the primary is looked up; without Sentinel or Cluster, give its address"),
    code("MASTERDOWN", (Unavailable, NotApplied, Refresh), "the replica has lost its primary (MASTERDOWN)", "bring back the primary"),
    code("NOREPLICAS", (Unavailable, NotApplied, Wait), "too few replicas are in step (NOREPLICAS)", "bring back replicas, or lower `min-replicas-to-write`"),
    code("MISCONF", (Unavailable, NotApplied, Wait), "the server cannot save to disk and refuses writes (MISCONF)", "free its disk; see its log"),
    code("OOM", (Overloaded, NotApplied, Never), "the server is out of memory (OOM)", "raise `maxmemory`, or store less"),
    code("BUSY", (Unavailable, NotApplied, Wait), "a script keeps the server busy (BUSY)", "find the script; `SCRIPT KILL` ends one that has not written"),
    code("UNBLOCKED", (Unavailable, NotApplied, Refresh), "the server became a replica while the call waited (UNBLOCKED)", "nothing: the primary is looked up"),
    code("REDIRECT", (Unavailable, NotApplied, Refresh), "the server hands over to another (REDIRECT)", "nothing: the primary is looked up"),
    err("max number of clients", (Overloaded, NotApplied, Reconnect), "the server has its most connections", "raise `maxclients`, or lower `pool_size_max`"),
    err("wait cannot be used with replica", (Unavailable, NotApplied, Refresh), "the server is a replica and waits for none", "nothing: the primary is looked up"),
    err("waitaof cannot be used", (Unsupported, NotApplied, Never), "the server keeps no append-only file", "set `appendonly yes`, or ask for other `Acks`"),
    // Scripts.
    code("NOSCRIPT", (Unavailable, NotApplied, LoadScript), "the server does not know the script (NOSCRIPT)", "nothing: it is loaded"),
    code("EXECABORT", (Internal, NotApplied, Never), "the server gave up the transaction (EXECABORT)", DEFECT),
    code("UNKILLABLE", (Unavailable, NotApplied, Never), "the script has written and cannot be ended (UNKILLABLE)", "wait, or stop the server without saving"),
    code("NOTBUSY", (Invalid, NotApplied, Never), "no script is running (NOTBUSY)", "nothing"),
    err("the user executing the script can't access", (Denied, Unknown, Never), "a key of the script is denied to the user", PERMIT),
    err("the user executing the script can't run", (Denied, Unknown, Never), "a command of the script is denied to the user", PERMIT),
    err("acl failure in script", (Denied, Unknown, Never), "a command or a key of the script is denied to the user", PERMIT),
    row(When::Text("NOPERM", "acl failure in script"), (Denied, Unknown, Never), "a command or a key of the script is denied to the user", PERMIT),
    err("unknown redis command called from script", (Unsupported, Unknown, Never), "the server lacks a command of the script", "use a newer server"),
    err("unknown command called from script", (Unsupported, Unknown, Never), "the server lacks a command of the script", "use a newer server"),
    err("script attempted to access", (Internal, Unknown, Never), "the script reached for a key that it did not declare", DEFECT),
    err("error compiling script", (Internal, NotApplied, Never), "the server cannot compile the script", DEFECT),
    err("error running script", (Internal, Unknown, Never), "the script failed", DEFECT),
    err("user_script", (Internal, Unknown, Never), "the script failed", DEFECT),
    err("wrong number of args calling", (Internal, Unknown, Never), "the script calls a command wrongly", DEFECT),
    // Who we are.
    code("NOAUTH", (Denied, NotApplied, Never), "the server wants a login (NOAUTH)", LOGIN),
    code("WRONGPASS", (Denied, NotApplied, Never), "the server refuses user and password (WRONGPASS)", LOGIN),
    code("NOPERM", (Denied, NotApplied, Never), "a command, a key or a channel is denied to the user (NOPERM)", PERMIT),
    code("DENIED", (Denied, NotApplied, Never), "the server is in protected mode and takes local connections only (DENIED)", "set a password on the server, or `bind`"),
    err("auth <password> called without any password", (Denied, NotApplied, Never), "the server has no password for its default user, and one was given", LOGIN),
    err("client sent auth, but no password is set", (Denied, NotApplied, Never), "the server has no password, and one was given", LOGIN),
    err("invalid password", (Denied, NotApplied, Never), "the server refuses the password", LOGIN),
    // What is stored.
    code("WRONGTYPE", (Corrupt, NotApplied, Never), "the key holds a type that is not ours (WRONGTYPE)", "find who else writes under the prefix"),
    code("BUSYKEY", (Conflict, NotApplied, Never), "the key exists (BUSYKEY)", "delete it first, or allow replacing"),
    code("BUSYGROUP", (Conflict, NotApplied, Never), "the group of readers exists (BUSYGROUP)", "nothing"),
    code("NOGROUP", (Conflict, NotApplied, Never), "the stream or its group of readers is gone (NOGROUP)", "begin anew"),
    err("increment or decrement would overflow", (Invalid, NotApplied, Never), "the number would overflow", "stay within 64 bits"),
    err("value is not an integer", (Invalid, NotApplied, Never), "the value is not a whole number", "increment numbers only"),
    err("hash value is not an integer", (Invalid, NotApplied, Never), "the field is not a whole number", "increment numbers only"),
    err("string exceeds maximum allowed size", (TooLarge, NotApplied, Never), "the value is larger than the server takes", "raise `proto-max-bulk-len`, or store less"),
    err("protocol error: invalid bulk length", (TooLarge, NotApplied, Never), "an argument is larger than the server takes", "raise `proto-max-bulk-len`, or store less"),
    err("protocol error: invalid multibulk length", (TooLarge, NotApplied, Never), "a command has more arguments than the server takes", "lower `batch_keys_max`"),
    err("protocol error", (Internal, Unknown, Never), "the server does not understand the request", DEFECT),
    err("invalid expire time", (Invalid, NotApplied, Never), "the server refuses the lifetime", "give one of 1 ms to 10 years"),
    // What the server is.
    code("NOPROTO", (Unsupported, NotApplied, Never), "the server knows no RESP3 (NOPROTO)", "use a newer server"),
    err("unknown command", (Unsupported, NotApplied, Never), "the server lacks the command", "use a newer server, or see whether it was renamed"),
    err("unknown subcommand", (Unsupported, NotApplied, Never), "the server lacks the subcommand", "use a newer server"),
    err("syntax error", (Unsupported, NotApplied, Never), "the server lacks an option of the command", "use a newer server"),
    err("wrong number of arguments", (Unsupported, NotApplied, Never), "the server knows the command in another form", "use a newer server"),
    err("db index is out of range", (Invalid, NotApplied, Never), "the server has no database of that number", "mend `database`"),
    err("invalid db index", (Invalid, NotApplied, Never), "the server has no database of that number", "mend `database`"),
    err("select is not allowed in cluster mode", (Invalid, NotApplied, Never), "a cluster has only database 0", "mend `database`"),
    err("this instance has cluster support disabled", (Invalid, NotApplied, Never), "the server is no node of a cluster", SHAPE),
    err("no such master with that name", (Invalid, NotApplied, Never), "the sentinels do not know the primary of that name", "mend `topology.master`"),
    code("NOQUORUM", (Unavailable, NotApplied, Refresh), "too few sentinels agree (NOQUORUM)", "bring back sentinels"),
    code("NOGOODSLAVE", (Unavailable, NotApplied, Wait), "no replica can take over (NOGOODSLAVE)", "bring back replicas"),
    code("NOMASTERLINK", (Unavailable, NotApplied, Refresh), "the replica has no link to its primary (NOMASTERLINK)", "bring back the primary"),
    code("INPROG", (Unavailable, NotApplied, Refresh), "a failover is under way (INPROG)", "wait"),
    code("IOERR", (Unavailable, Unknown, Wait), "the server failed to reach another or its disk (IOERR)", "see its log"),
    code("NOSUB", (Internal, NotApplied, Never), "the connection is not subscribed (NOSUB)", DEFECT),
    // Our own scripts.
    code("STATECONFLICT", (Conflict, NotApplied, Never), "a precondition did not hold", "read again and decide anew"),
    code("STATEFENCED", (Fenced, NotApplied, Never), "another holder has the lease now", "stop"),
    code("STATEINVALID", (Invalid, NotApplied, Never), "the script refuses the request", "mend the request"),
    code("STATEOPID", (Invalid, NotApplied, Never), "the operation id was used for another operation", "use a new id for each operation"),
    code("STATECORRUPT", (Corrupt, NotApplied, Never), "what is stored is not what was written", "restore from a good copy"),
    // Any other reply with the usual code.
    code("ERR", (Internal, Unknown, Never), "the server refuses the request (ERR)", DEFECT),
    // Reaching a server.
    client(Fault::Resolve, (Unavailable, NotApplied, Reconnect), "the host name has no address", "mend the host, or the name service"),
    client(Fault::Refused, (Unavailable, NotApplied, Reconnect), "the server refuses the connection: nobody listens there", "start it, or mend host and port"),
    client(Fault::Unreachable, (Unavailable, NotApplied, Reconnect), "there is no way to the host", "mend the network, or the host"),
    client(Fault::ConnectTimeout, (Unavailable, NotApplied, Reconnect), "no connection could be made in time", "see whether the server is up and the way is open"),
    client(Fault::LostBeforeSend, (Unavailable, NotApplied, Reconnect), "the connection ended before the request was sent", "see the log of the server"),
    client(Fault::LostAfterSend, (Unavailable, Unknown, Reconnect), "the connection ended before the reply", "find out whether it happened; see the log of the server"),
    client(Fault::WriteTimeout, (Timeout, Unknown, Reconnect), "the server took nothing of the request in time", "see whether the server is frozen or overloaded; raise `write_timeout_ms`"),
    client(Fault::ReplyTimeout, (Timeout, Unknown, Reconnect), "the reply did not come in time", "find out whether it happened; raise `read_timeout_ms` or `call_timeout_ms`"),
    client(Fault::Late, (Timeout, NotApplied, Wait), "the deadline of the call passed before this was sent", "raise `call_timeout_ms`, or ask for less at once"),
    client(Fault::SocketMissing, (Unavailable, NotApplied, Reconnect), "the socket is not there", "start the server, or mend the path"),
    client(Fault::SocketDenied, (Denied, NotApplied, Never), "the socket is not ours to use", "mend the permissions of the socket"),
    // TLS.
    client(Fault::TlsCertificate, (Denied, NotApplied, Never), "the certificate of the server is not trusted (tls.ca_file)", "mend `tls.ca_file`, or renew the certificate"),
    client(Fault::TlsName, (Denied, NotApplied, Never), "the certificate of the server is for another name (tls.server_name)", "mend the host or `tls.server_name`"),
    client(Fault::TlsRefused, (Denied, NotApplied, Never), "the server refuses our side of TLS (tls.client_cert_file)", "mend `tls.client_cert_file` and `tls.client_key_file`"),
    client(Fault::TlsPlaintext, (Invalid, NotApplied, Never), "the port does not speak TLS", "use the port for TLS, or a scheme without it"),
    client(Fault::TlsHandshake, (Unavailable, NotApplied, Reconnect), "the TLS handshake failed", "see the log of the server"),
    // The conversation.
    client(Fault::Protocol, (Unavailable, Unknown, Reconnect), "what was read is not the protocol", "see what stands between here and the server"),
    client(Fault::NotRedis, (Invalid, NotApplied, Never), "the port does not speak the protocol of Redis", "mend the port; one for TLS needs `rediss`"),
    client(Fault::Unexpected, (Internal, Unknown, Never), "the reply is not one that the command has", DEFECT),
    client(Fault::Resp3, (Unsupported, NotApplied, Never), "the server knows no RESP3", "use a newer server"),
    client(Fault::Login, (Denied, NotApplied, Never), "the login failed", LOGIN),
    client(Fault::PoolExhausted, (Overloaded, NotApplied, Wait), "no exclusive connection came free in time", "raise `pool_size_max`, or do less at once"),
    client(Fault::NoAppendOnlyFile, (Unsupported, NotApplied, Never), "the server cannot tell when its disk has a write", "set `appendonly yes`; it needs Redis 7.2 or Valkey"),
    client(Fault::NoPrimary, (Unavailable, NotApplied, Refresh), "no sentinel names the primary", "bring back sentinels; mend `topology.sentinels` and `topology.master`"),
    client(Fault::NoNode, (Unavailable, NotApplied, Refresh), "no node of the cluster serves the slot", "bring back nodes; mend `topology.seeds`"),
    client(Fault::WrongRole, (Unavailable, NotApplied, Refresh), "the server says that it is not the primary; without Sentinel or Cluster its address has to be given", "without Sentinel or Cluster, give the address of the primary or move its name; with them nothing: it is looked up"),
    client(Fault::Config, (Invalid, NotApplied, Never), "the client library refuses the configuration", "mend the configuration"),
    client(Fault::Closed, (Closed, NotApplied, Never), "the store was closed", "open it anew"),
    client(Fault::Library, (Internal, Unknown, Never), "the client library failed", DEFECT),
];

/// The row of a server's reply.
pub(super) fn of_reply(code: &str, text: &str) -> &'static Row {
    // Only the beginning counts: further on, a server may repeat what a user wrote.
    let begins = |with: &str| {
        text.trim_start().get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    TABLE
        .iter()
        .find(|row| match row.when {
            When::Code(expected) => expected == code,
            When::Text(expected, start) => expected == code && begins(start),
            When::Client(_) | When::Other => false,
        })
        .unwrap_or(&OTHER)
}

/// The row of a failure on our side.
pub(super) fn of_fault(fault: Fault) -> &'static Row {
    TABLE.iter().find(|row| row.when == When::Client(fault)).unwrap_or(&OTHER)
}
