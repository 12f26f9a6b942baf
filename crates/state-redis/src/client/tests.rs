//! The client against servers that say and do what a test wants.

mod cluster;
mod faults;
mod late;
mod mock;

use std::time::Duration;

use bytes::Bytes;
use redis::Value;
use state_core::{ErrorKind, Outcome, Result};

use super::*;
use crate::command::Command;
use mock::{Act, Mock, ok};

static ECHO: Script = Script::new("echo", "return ARGV[1]");

fn config(mock: &Mock) -> RedisConfig {
    let mut config = RedisConfig::builder().with_url(mock.url()).build().unwrap();
    // Whatever ends well does so because something was noticed, not because a try timed out.
    config.read_timeout_ms = 30_000;
    config.call_timeout_ms = 40_000;
    config
}

fn get(key: &str) -> Request {
    let mut command = Command::new("GET");
    command.arg(key);
    Request::new("get", Target::Slot(0), Body::Command(command)).with_repeat(Repeat::Safe)
}

fn incr() -> Request {
    let mut command = Command::new("INCR");
    command.arg("n");
    Request::new("increment", Target::Slot(0), Body::Command(command))
}

fn text(reply: Result<Reply>) -> String {
    match reply.unwrap() {
        Reply::One(Value::BulkString(bytes)) => String::from_utf8(bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_greeting_logs_in_chooses_the_database_and_gives_the_name() {
    let mock = Mock::start(|_, _| Act::Usual).await;
    let url = format!("{}/3", mock.url().replace("redis://", "redis://user:secret@"));
    let config = RedisConfig::builder().with_url(&url).build().unwrap();
    Client::connect(&config).await.unwrap();
    let greeting = mock.seen();
    assert_eq!(
        greeting,
        ["AUTH user secret", "SELECT 3", "CLIENT SETNAME state", "CLIENT ID", "ROLE", "PING"]
    );
}

const REPLICA: &str = "*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:1\r\n$9\r\nconnected\r\n:0\r\n";

#[tokio::test]
async fn a_lone_server_that_is_no_primary_is_refused_and_the_error_says_what_to_do() {
    let mock = Mock::start(|command, _| match command[0].as_str() {
        "ROLE" => Act::Say(REPLICA.into()),
        _ => Act::Usual,
    })
    .await;
    let mut config = config(&mock);
    config.retries = 1;
    let error = Client::connect(&config).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied));
    assert_eq!(error.attempts(), 2, "its name may lead to another one soon");
    assert!(error.to_string().contains("its address has to be given"), "{error}");
}

#[tokio::test]
async fn a_lone_server_that_is_demoted_is_left_when_it_refuses_a_write() {
    let demoted = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mock = Mock::start({
        let demoted = Arc::clone(&demoted);
        move |command, _| match (command[0].as_str(), demoted.load(Ordering::SeqCst)) {
            ("ROLE", true) => Act::Say(REPLICA.into()),
            ("INCR", true) => Act::Say("-READONLY You can't write.\r\n".into()),
            _ => Act::Usual,
        }
    })
    .await;
    let mut config = config(&mock);
    config.retries = 2;
    let client = Client::connect(&config).await.unwrap();
    demoted.store(true, Ordering::SeqCst);
    for request in [incr(), get("k"), incr().with_lane(Lane::Exclusive)] {
        let error = client.send(request).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied));
        assert!(error.to_string().contains("not the primary"), "{error}");
    }
    demoted.store(false, Ordering::SeqCst);
    assert_eq!(text(client.send(get("k")).await), "k");
}

#[tokio::test]
async fn a_lone_server_that_does_not_tell_its_role_is_taken_for_the_primary() {
    for refusal in ["-NOPERM this user\r\n", "-ERR unknown command 'ROLE'\r\n"] {
        let mock = Mock::start(move |command, _| match command[0].as_str() {
            "ROLE" => Act::Say(refusal.into()),
            _ => Act::Usual,
        })
        .await;
        let client = Client::connect(&config(&mock)).await.unwrap();
        assert_eq!(text(client.send(get("k")).await), "k");
    }
}

#[tokio::test]
async fn a_refused_login_is_told_at_once_and_without_the_password() {
    let mock = Mock::start(|command, _| match command.first().map(String::as_str) {
        Some("AUTH") => Act::Say("-WRONGPASS invalid username-password pair\r\n".into()),
        _ => Act::Usual,
    })
    .await;
    let url = mock.url().replace("redis://", "redis://user:hunter2@");
    let config = RedisConfig::builder().with_url(&url).build().unwrap();
    let error = Client::connect(&config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(error.attempts(), 1);
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_port_that_speaks_plain_text_is_told_from_a_broken_one() {
    // As a server does, it waits for the end of the line that a handshake looks like.
    let mock = Mock::start(|_, _| Act::Usual).await;
    let mut config = config(&mock);
    config.tls = crate::config::TlsOptions::new().with_ca_file(certificate()).into();
    let error = Client::connect(&config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
    // Nothing but the question whether it speaks plain text was ever sent in the clear.
    assert!(mock.seen().iter().all(|command| command == "PING"), "{:?}", mock.seen());
}

#[tokio::test]
async fn an_untrusted_way_to_a_server_that_is_not_there_is_unavailable_after_all_retries() {
    let mock = Mock::start(|_, _| Act::Usual).await;
    let config = config(&mock);
    let client = Client::connect(&config).await.unwrap();
    mock.stop();
    let error = client.send(get("k")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.attempts(), 4);
    assert_eq!(error.op(), Some("get"));
}

#[tokio::test]
async fn many_tasks_get_their_own_answers_over_few_connections() {
    let mock = Mock::start(|_, _| Act::Usual).await;
    let client = Client::connect(&config(&mock)).await.unwrap();
    let calls = (0..200).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            let lane = if number % 2 == 0 { Lane::Point } else { Lane::Bulk };
            let key = format!("k{number}");
            assert_eq!(text(client.send(get(&key).with_lane(lane)).await), key);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    assert_eq!(mock.connections(), 2);
}

#[tokio::test]
async fn chunks_of_one_byte_make_no_difference() {
    let mock = Mock::start(|command, _| match command.first().map(String::as_str) {
        Some("GET") => Act::Dribble,
        _ => Act::Usual,
    })
    .await;
    let client = Client::connect(&config(&mock)).await.unwrap();
    let keys = ["a", "", "\r\n$1\r\n", "long".repeat(100).as_str()].map(str::to_owned);
    for key in keys {
        assert_eq!(text(client.send(get(&key)).await), key);
    }
}

#[tokio::test]
async fn calls_that_are_dropped_leave_the_connection_whole() {
    let mock = Mock::start(|_, _| Act::Usual).await;
    let client = Client::connect(&config(&mock)).await.unwrap();
    for number in 0..100_u32 {
        let call = client.clone();
        let key = "x".repeat(100 * usize::try_from(number).unwrap());
        let task = tokio::spawn(async move { call.send(get(&key)).await });
        for _ in 0..number % 5 {
            tokio::task::yield_now().await;
        }
        task.abort();
        assert_eq!(text(client.send(get("after")).await), "after");
    }
    assert_eq!(mock.connections(), 1);
}

#[tokio::test]
async fn a_script_that_the_server_forgot_is_taught_again() {
    let mock = Mock::start(mock::scripts).await;
    let client = Client::connect(&config(&mock)).await.unwrap();
    for round in 1..=2 {
        let (key, arg) = (Bytes::from_static(b"k"), Bytes::from_static(b"hello"));
        let body = Body::script(&ECHO, &[key], &[arg]);
        let reply = client.send(Request::new("put", Target::Slot(0), body)).await;
        assert_eq!(text(reply), "hello");
        let loads = mock.seen().iter().filter(|command| command.starts_with("SCRIPT")).count();
        assert_eq!(loads, round);
        mock.forget_scripts();
    }
}

#[tokio::test]
async fn only_the_refused_scripts_of_a_pipeline_are_sent_again() {
    static OTHER: Script = Script::new("other", "return ARGV[1] -- other");
    let mock = Mock::start(mock::scripts).await;
    let client = Client::connect(&config(&mock)).await.unwrap();
    let call =
        |script, arg| ScriptCall { script, keys: Vec::new(), args: vec![Bytes::from_static(arg)] };
    let send = async |calls| {
        let request = Request::new("write_many", Target::Any, Body::Scripts(calls));
        match client.send(request).await.unwrap() {
            Reply::Many(answers) => answers.into_iter().map(Result::unwrap).collect::<Vec<_>>(),
            Reply::One(_) => panic!("one answer to several scripts"),
        }
    };
    send(vec![call(&ECHO, b"0")]).await;
    let answers = send(vec![call(&ECHO, b"1"), call(&OTHER, b"2"), call(&ECHO, b"3")]).await;
    let expected = ["1", "2", "3"].map(|text| Value::BulkString(text.into()));
    assert_eq!(answers, expected);
    let ran = |arg: &str| mock.seen().iter().filter(|command| command.ends_with(arg)).count();
    assert_eq!((ran(" 0 1"), ran(" 0 2"), ran(" 0 3")), (1, 2, 1));
}

#[tokio::test]
async fn refusals_inside_a_pipeline_stay_with_their_commands() {
    let mock = Mock::start(|command, _| match command.get(1).map(String::as_str) {
        Some("bad") => Act::Say("-WRONGTYPE not a string\r\n".into()),
        _ => Act::Usual,
    })
    .await;
    let client = Client::connect(&config(&mock)).await.unwrap();
    let commands = ["a", "bad", "b"].map(|key| {
        let mut command = Command::new("GET");
        command.arg(key);
        command
    });
    for lane in [Lane::Point, Lane::Exclusive] {
        let body = Body::Pipeline(commands.to_vec());
        let request = Request::new("get_many", Target::Any, body).with_lane(lane);
        let Reply::Many(answers) = client.send(request).await.unwrap() else { panic!("one") };
        assert_eq!(answers[0].as_ref().unwrap(), &ok("a"));
        assert_eq!(answers[1].as_ref().unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(answers[2].as_ref().unwrap(), &ok("b"));
    }
}

#[test]
fn a_client_of_a_runtime_that_ended_works_on_another() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let servers =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mock = servers.block_on(Mock::start(|_, _| Act::Usual));
    let first = runtime();
    let client = first.block_on(Client::connect(&config(&mock))).unwrap();
    assert_eq!(text(first.block_on(client.send(get("1")))), "1");
    // The first one still exists and drives nothing now.
    let second = runtime();
    for lane in [Lane::Point, Lane::Bulk] {
        assert_eq!(text(second.block_on(client.send(get("2").with_lane(lane)))), "2");
    }
    drop(first);
    drop(second);
    assert_eq!(text(runtime().block_on(client.send(get("3")))), "3");
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let config = RedisConfig::default();
    let connected = Client::connect(&config);
    let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        futures_util::FutureExt::now_or_never(connected)
    }));
    assert_eq!(polled.unwrap().unwrap().unwrap_err().kind(), ErrorKind::Closed);
}

/// A certificate of nobody.
fn certificate() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/client/tests/untrusted.pem")
}
