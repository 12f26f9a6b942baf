//! One sample per row of the table, and what may not be in a message.

mod guide;

use std::error::Error as _;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use redis::ServerErrorKind;
use rustls::{AlertDescription, CertificateError, InvalidMessage};
use state_core::ErrorKind as Kind;

use super::table::TABLE;
use super::*;
use RetryClass::{LoadScript, Never, Reconnect, Redirect as Follow, Refresh, SlotMoves, Wait};

const NO: Outcome = Outcome::NotApplied;
const UNKNOWN: Outcome = Outcome::Unknown;

/// What servers write, and what it must mean; taken from servers of version 7.0 where they say it.
const REPLIES: &[(&str, Kind, Outcome, RetryClass)] = &[
    ("MOVED 3999 10.0.0.1:6381", Kind::Unavailable, NO, Follow),
    ("ASK 3999 10.0.0.1:6381", Kind::Unavailable, NO, Follow),
    ("TRYAGAIN Multiple keys request during rehashing of slot", Kind::Unavailable, NO, SlotMoves),
    ("CLUSTERDOWN Hash slot not served", Kind::Unavailable, NO, Refresh),
    ("CROSSSLOT Keys in request don't hash to the same slot", Kind::NotColocated, NO, Never),
    ("LOADING Redis is loading the dataset in memory", Kind::Unavailable, NO, Wait),
    ("READONLY You can't write against a read only replica.", Kind::Unavailable, NO, Refresh),
    ("MASTERDOWN Link with MASTER is down", Kind::Unavailable, NO, Refresh),
    ("NOREPLICAS Not enough good replicas to write.", Kind::Unavailable, NO, Wait),
    ("MISCONF Redis is configured to save RDB snapshots", Kind::Unavailable, NO, Wait),
    ("OOM command not allowed when used memory > 'maxmemory'.", Kind::Overloaded, NO, Never),
    ("BUSY Redis is busy running a script.", Kind::Unavailable, NO, Wait),
    ("UNBLOCKED force unblock from blocking operation", Kind::Unavailable, NO, Refresh),
    ("REDIRECT 10.0.0.1:6379", Kind::Unavailable, NO, Refresh),
    ("ERR max number of clients reached", Kind::Overloaded, NO, Reconnect),
    ("ERR WAIT cannot be used with replica instances.", Kind::Unavailable, NO, Refresh),
    (
        "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
        Kind::Unsupported,
        NO,
        Never,
    ),
    ("NOSCRIPT No matching script. Please use EVAL.", Kind::Unavailable, NO, LoadScript),
    ("EXECABORT Transaction discarded because of previous errors.", Kind::Internal, NO, Never),
    ("UNKILLABLE Sorry the script already executed write commands", Kind::Unavailable, NO, Never),
    ("NOTBUSY No scripts in execution right now.", Kind::Invalid, NO, Never),
    (
        "ERR The user executing the script can't access at least one of the keys mentioned in the \
         command arguments script: 8844, on @user_script:1.",
        Kind::Denied,
        UNKNOWN,
        Never,
    ),
    (
        "ERR ACL failure in script: User worker has no permissions to run the 'pexpire' command \
         script: dd81, on @user_script:1.",
        Kind::Denied,
        UNKNOWN,
        Never,
    ),
    (
        "NOPERM ACL failure in script: User worker has no permissions to access the 'k' key \
         script: dd81, on @user_script:1.",
        Kind::Denied,
        UNKNOWN,
        Never,
    ),
    (
        "ERR The user executing the script can't run this command or subcommand script: dd81, on \
         @user_script:1.",
        Kind::Denied,
        UNKNOWN,
        Never,
    ),
    (
        "ERR Unknown Redis command called from script script: 0780, on @user_script:1.",
        Kind::Unsupported,
        UNKNOWN,
        Never,
    ),
    ("ERR Unknown command called from script", Kind::Unsupported, UNKNOWN, Never),
    (
        "ERR Script attempted to access a non local key in a cluster node",
        Kind::Internal,
        UNKNOWN,
        Never,
    ),
    ("ERR Error compiling script (new function)", Kind::Internal, NO, Never),
    ("ERR Error running script (call to f_00)", Kind::Internal, UNKNOWN, Never),
    ("ERR user_script:1: x script: 9851, on @user_script:1.", Kind::Internal, UNKNOWN, Never),
    (
        "ERR Wrong number of args calling Redis command from script script: 5ec1",
        Kind::Internal,
        UNKNOWN,
        Never,
    ),
    ("NOAUTH Authentication required.", Kind::Denied, NO, Never),
    ("WRONGPASS invalid username-password pair or user is disabled.", Kind::Denied, NO, Never),
    (
        "NOPERM this user has no permissions to access one of the keys used as arguments",
        Kind::Denied,
        NO,
        Never,
    ),
    ("DENIED Redis is running in protected mode", Kind::Denied, NO, Never),
    (
        "ERR AUTH <password> called without any password configured for the default user.",
        Kind::Denied,
        NO,
        Never,
    ),
    ("ERR Client sent AUTH, but no password is set", Kind::Denied, NO, Never),
    ("ERR invalid password", Kind::Denied, NO, Never),
    ("WRONGTYPE Operation against a key holding the wrong kind of value", Kind::Corrupt, NO, Never),
    ("BUSYKEY Target key name already exists.", Kind::Conflict, NO, Never),
    ("BUSYGROUP Consumer Group name already exists", Kind::Conflict, NO, Never),
    ("NOGROUP No such key 'k' or consumer group 'g'", Kind::Conflict, NO, Never),
    ("ERR increment or decrement would overflow", Kind::Invalid, NO, Never),
    ("ERR value is not an integer or out of range", Kind::Invalid, NO, Never),
    ("ERR hash value is not an integer", Kind::Invalid, NO, Never),
    ("ERR string exceeds maximum allowed size (proto-max-bulk-len)", Kind::TooLarge, NO, Never),
    ("ERR Protocol error: invalid bulk length", Kind::TooLarge, NO, Never),
    ("ERR Protocol error: invalid multibulk length", Kind::TooLarge, NO, Never),
    ("ERR Protocol error: expected '$', got 'x'", Kind::Internal, UNKNOWN, Never),
    ("ERR invalid expire time in 'set' command", Kind::Invalid, NO, Never),
    ("NOPROTO unsupported protocol version", Kind::Unsupported, NO, Never),
    (
        "ERR unknown command 'waitaof', with args beginning with: '1' '0' '0' ",
        Kind::Unsupported,
        NO,
        Never,
    ),
    ("ERR unknown subcommand 'nosuch'. Try CLIENT HELP.", Kind::Unsupported, NO, Never),
    ("ERR syntax error", Kind::Unsupported, NO, Never),
    ("ERR wrong number of arguments for 'get' command", Kind::Unsupported, NO, Never),
    ("ERR DB index is out of range", Kind::Invalid, NO, Never),
    ("ERR invalid DB index", Kind::Invalid, NO, Never),
    ("ERR SELECT is not allowed in cluster mode", Kind::Invalid, NO, Never),
    ("ERR This instance has cluster support disabled", Kind::Invalid, NO, Never),
    ("ERR No such master with that name", Kind::Invalid, NO, Never),
    ("NOQUORUM 1 usable Sentinels", Kind::Unavailable, NO, Refresh),
    ("NOGOODSLAVE No suitable replica to promote", Kind::Unavailable, NO, Wait),
    ("NOMASTERLINK Can't SYNC while not connected with my master", Kind::Unavailable, NO, Refresh),
    ("INPROG Failover already in progress", Kind::Unavailable, NO, Refresh),
    ("IOERR error or timeout reading from target instance", Kind::Unavailable, UNKNOWN, Wait),
    ("NOSUB 'unsubscribe' is not allowed", Kind::Internal, NO, Never),
    ("STATECONFLICT", Kind::Conflict, NO, Never),
    ("STATEFENCED", Kind::Fenced, NO, Never),
    ("STATEINVALID", Kind::Invalid, NO, Never),
    ("STATEOPID", Kind::Invalid, NO, Never),
    ("STATECORRUPT", Kind::Corrupt, NO, Never),
    ("ERR something else", Kind::Internal, UNKNOWN, Never),
    ("HEREBEDRAGONS something new", Kind::Internal, UNKNOWN, Never),
];

/// What our side reports, and what it must mean.
const FAULTS: &[(Fault, Kind, Outcome, RetryClass)] = &[
    (Fault::Resolve, Kind::Unavailable, NO, Reconnect),
    (Fault::Refused, Kind::Unavailable, NO, Reconnect),
    (Fault::Unreachable, Kind::Unavailable, NO, Reconnect),
    (Fault::ConnectTimeout, Kind::Unavailable, NO, Reconnect),
    (Fault::LostBeforeSend, Kind::Unavailable, NO, Reconnect),
    (Fault::LostAfterSend, Kind::Unavailable, UNKNOWN, Reconnect),
    (Fault::WriteTimeout, Kind::Timeout, UNKNOWN, Reconnect),
    (Fault::ReplyTimeout, Kind::Timeout, UNKNOWN, Reconnect),
    (Fault::Late, Kind::Timeout, NO, Wait),
    (Fault::SocketMissing, Kind::Unavailable, NO, Reconnect),
    (Fault::SocketDenied, Kind::Denied, NO, Never),
    (Fault::TlsCertificate, Kind::Denied, NO, Never),
    (Fault::TlsName, Kind::Denied, NO, Never),
    (Fault::TlsRefused, Kind::Denied, NO, Never),
    (Fault::TlsPlaintext, Kind::Invalid, NO, Never),
    (Fault::TlsHandshake, Kind::Unavailable, NO, Reconnect),
    (Fault::Protocol, Kind::Unavailable, UNKNOWN, Reconnect),
    (Fault::NotRedis, Kind::Invalid, NO, Never),
    (Fault::Unexpected, Kind::Internal, UNKNOWN, Never),
    (Fault::Resp3, Kind::Unsupported, NO, Never),
    (Fault::Login, Kind::Denied, NO, Never),
    (Fault::PoolExhausted, Kind::Overloaded, NO, Wait),
    (Fault::NoAppendOnlyFile, Kind::Unsupported, NO, Never),
    (Fault::NoPrimary, Kind::Unavailable, NO, Refresh),
    (Fault::NoNode, Kind::Unavailable, NO, Refresh),
    (Fault::WrongRole, Kind::Unavailable, NO, Refresh),
    (Fault::Config, Kind::Invalid, NO, Never),
    (Fault::Closed, Kind::Closed, NO, Never),
    (Fault::Library, Kind::Internal, UNKNOWN, Never),
];

/// The error that the client library makes of `text`, as a server would send it.
fn replied(text: &str) -> RedisError {
    let wire = format!("-{text}\r\n");
    let value = redis::parse_redis_value(wire.as_bytes()).unwrap();
    value.extract_error().unwrap_err()
}

fn all_texts(error: &Error) -> String {
    let mut texts = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        write!(texts, " {cause} {cause:?}").unwrap();
        source = cause.source();
    }
    texts
}

#[test]
fn every_reply_of_a_server_means_what_the_table_says() {
    for &(text, kind, outcome, class) in REPLIES {
        let failure = Failure::from_redis(&replied(text), Sent::Maybe);
        assert_eq!(
            (failure.kind(), failure.outcome(), failure.class()),
            (kind, outcome, class),
            "{text}"
        );
        let error = failure.into_error();
        assert_eq!((error.kind(), error.outcome()), (kind, outcome), "{text}");
    }
}

#[test]
fn every_fault_of_ours_means_what_the_table_says() {
    for &(fault, kind, outcome, class) in FAULTS {
        let failure = Failure::from(fault);
        assert_eq!(
            (failure.kind(), failure.outcome(), failure.class()),
            (kind, outcome, class),
            "{fault:?}"
        );
    }
}

#[test]
fn every_row_has_a_sample_and_none_is_shadowed() {
    let mut reached: Vec<When> = REPLIES
        .iter()
        .map(|(text, ..)| Failure::from_redis(&replied(text), Sent::Maybe).row.when)
        .chain(FAULTS.iter().map(|(fault, ..)| Failure::from(*fault).row.when))
        .collect();
    for row in TABLE {
        let at = reached.iter().position(|when| *when == row.when);
        assert!(at.is_some(), "no sample reaches {:?}", row.when);
        reached.remove(at.unwrap());
    }
    assert_eq!(reached, [When::Other], "a row with two samples, or none for what is not known");
}

#[test]
fn nothing_that_a_server_writes_reaches_a_message() {
    for (text, ..) in REPLIES {
        let code = text.split(' ').next().unwrap();
        for reply in [format!("{text} hunter2"), format!("{code} hunter2"), "hunter2 x".to_owned()]
        {
            let error = Failure::from_redis(&replied(&reply), Sent::Maybe).into_error();
            assert!(!all_texts(&error).contains("hunter2"), "{reply}");
        }
    }
    let io = io::Error::other("hunter2");
    let library = RedisError::from((redis::ErrorKind::Client, "x", "hunter2".to_owned()));
    for failure in [
        Failure::from_io(&io, Sent::Maybe),
        Failure::from_redis(&RedisError::from(io), Sent::No),
        Failure::from_redis(&library, Sent::Maybe),
    ] {
        let shown = format!("{failure:?} {failure}");
        assert!(
            !shown.contains("hunter2") && !all_texts(&failure.into_error()).contains("hunter2")
        );
    }
}

#[test]
fn arguments_repeated_by_a_server_do_not_choose_the_row() {
    let reply = "ERR unknown command 'x', with args beginning with: 'max number of clients'";
    assert_eq!(Failure::from_redis(&replied(reply), Sent::Maybe).kind(), Kind::Unsupported);
    let reply = "ERR no such thing: 'unknown command'";
    assert_eq!(Failure::from_redis(&replied(reply), Sent::Maybe).kind(), Kind::Internal);
}

#[test]
fn the_same_wire_error_means_the_same_from_the_library_and_by_hand() {
    for (text, kind, ..) in REPLIES {
        let (code, rest) = text.split_once(' ').unwrap_or((text, ""));
        assert_eq!(Failure::from_reply(code, rest).kind(), *kind, "{text}");
    }
    // The library makes such an error itself when SELECT is refused during its setup.
    let kind = redis::ErrorKind::Server(ServerErrorKind::ResponseError);
    let select = RedisError::from((kind, "refused", "DB index is out of range".to_owned()));
    assert_eq!(Failure::from_redis(&select, Sent::No).kind(), Kind::Invalid);
}

#[test]
fn redirections_tell_where_to_go() {
    let moved = Failure::from_redis(&replied("MOVED 866 10.0.0.1:6381"), Sent::Maybe);
    let expected = Redirect { slot: 866, address: "10.0.0.1:6381".to_owned(), ask: false };
    assert_eq!(moved.redirect(), Some(&expected));
    let ask = Failure::from_redis(&replied("ASK 16383 [::1]:7000"), Sent::Maybe);
    let expected = Redirect { slot: 16_383, address: "[::1]:7000".to_owned(), ask: true };
    assert_eq!(ask.redirect(), Some(&expected));
    for garbled in ["MOVED", "MOVED 1", "MOVED x h:1", "MOVED 16384 h:1", "ASK -1 h:1"] {
        assert_eq!(
            Failure::from_redis(&replied(garbled), Sent::Maybe).redirect(),
            None,
            "{garbled}"
        );
    }
}

#[test]
fn io_errors_depend_on_whether_the_request_was_sent() {
    use io::ErrorKind as Io;
    for (kind, before, after) in [
        (Io::ConnectionRefused, Fault::Refused, Fault::Refused),
        (Io::TimedOut, Fault::ConnectTimeout, Fault::ReplyTimeout),
        (Io::NotFound, Fault::SocketMissing, Fault::LostAfterSend),
        (Io::PermissionDenied, Fault::SocketDenied, Fault::LostAfterSend),
        (Io::HostUnreachable, Fault::Unreachable, Fault::LostAfterSend),
        (Io::NetworkUnreachable, Fault::Unreachable, Fault::LostAfterSend),
        (Io::UnexpectedEof, Fault::LostBeforeSend, Fault::LostAfterSend),
        (Io::ConnectionReset, Fault::LostBeforeSend, Fault::LostAfterSend),
        (Io::BrokenPipe, Fault::LostBeforeSend, Fault::LostAfterSend),
    ] {
        for (sent, fault) in [(Sent::No, before), (Sent::Maybe, after)] {
            let direct = Failure::from_io(&io::Error::from(kind), sent);
            assert_eq!(direct.row.when, When::Client(fault), "{kind:?}");
            let through = Failure::from_redis(&RedisError::from(io::Error::from(kind)), sent);
            assert_eq!(through.row.when, When::Client(fault), "{kind:?}");
            assert!(through.into_error().source().is_some(), "{kind:?}");
        }
    }
}

#[test]
fn tls_failures_say_which_side_is_wrong() {
    for (error, fault) in [
        (rustls::Error::InvalidCertificate(CertificateError::NotValidForName), Fault::TlsName),
        (rustls::Error::InvalidCertificate(CertificateError::Expired), Fault::TlsCertificate),
        (rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer), Fault::TlsCertificate),
        (rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType), Fault::TlsPlaintext),
        (rustls::Error::AlertReceived(AlertDescription::CertificateRequired), Fault::TlsRefused),
        (rustls::Error::General("hunter2".to_owned()), Fault::TlsHandshake),
    ] {
        assert_eq!(Failure::from(client::of_tls(&error)).row.when, When::Client(fault));
        let wrapped = io::Error::new(io::ErrorKind::InvalidData, error);
        assert_eq!(Failure::from_io(&wrapped, Sent::No).row.when, When::Client(fault));
        // On a connection that worked it is a connection that ended.
        let later = Failure::from_io(&wrapped, Sent::Maybe);
        assert_eq!(later.row.when, When::Client(Fault::LostAfterSend));
    }
}

#[test]
fn what_the_library_reports_itself_has_a_meaning() {
    use redis::ErrorKind as Library;
    for (kind, before, after) in [
        (Library::Parse, Fault::NotRedis, Fault::Protocol),
        (Library::UnexpectedReturnType, Fault::Unexpected, Fault::Unexpected),
        (Library::AuthenticationFailed, Fault::Login, Fault::Login),
        (Library::InvalidClientConfig, Fault::Config, Fault::Config),
        (Library::RESP3NotSupported, Fault::Resp3, Fault::Resp3),
        (Library::MasterNameNotFoundBySentinel, Fault::NoPrimary, Fault::NoPrimary),
        (Library::ClusterConnectionNotFound, Fault::NoNode, Fault::NoNode),
        (Library::Client, Fault::Library, Fault::Library),
    ] {
        for (sent, fault) in [(Sent::No, before), (Sent::Maybe, after)] {
            let failure = Failure::from_redis(&RedisError::from((kind, "x")), sent);
            assert_eq!(failure.row.when, When::Client(fault), "{kind:?}");
        }
    }
}

#[test]
fn an_aborted_transaction_and_a_pipeline_tell_their_cause() {
    let wire = b"*2\r\n+OK\r\n-OOM command not allowed\r\n";
    let reply = redis::parse_redis_value(wire).unwrap();
    let error = reply.extract_error().unwrap_err();
    assert_eq!(Failure::from_redis(&error, Sent::Maybe).kind(), Kind::Overloaded);
}

#[test]
fn only_what_is_unknown_may_still_apply() {
    for fault in [Fault::ReplyTimeout, Fault::LostAfterSend, Fault::WriteTimeout] {
        assert!(Failure::from(fault).may_still_apply(), "{fault:?}");
    }
    assert!(!Failure::from(Fault::Refused).may_still_apply());
    assert!(!Failure::from_reply("ERR", "user_script:1: x").may_still_apply());
}

/// Errors cross tasks, and the table is shared.
#[test]
fn failures_can_be_shared() {
    fn shared<T: Send + Sync + 'static>(value: T) -> Arc<T> {
        Arc::new(value)
    }
    assert_eq!(shared(Failure::from(Fault::Closed)).kind(), Kind::Closed);
}
