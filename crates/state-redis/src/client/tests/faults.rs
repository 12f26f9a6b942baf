//! Connections that break or fall silent.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::command::Command;

/// Does `act` on the first `count` commands called `name`, and what is usual otherwise.
fn first(
    count: usize,
    name: &'static str,
    act: impl Fn() -> Act + Send + Sync + 'static,
) -> impl Fn(&[String], &mock::State) -> Act + Send + Sync + 'static {
    let seen = AtomicUsize::new(0);
    move |command, _| {
        if command[0] == name && seen.fetch_add(1, Ordering::SeqCst) < count {
            act()
        } else {
            Act::Usual
        }
    }
}

#[tokio::test]
async fn a_read_survives_a_connection_that_is_cut_in_the_middle_of_its_answer() {
    let mock = Mock::start(first(2, "GET", || Act::SayAndHangUp("$5\r\nhe"))).await;
    let client = Client::connect(&config(&mock)).await.unwrap();
    assert_eq!(text(client.send(get("hello")).await), "hello");
}

#[tokio::test]
async fn what_must_happen_once_is_not_sent_again_after_its_connection_was_cut() {
    let mock = Mock::start(first(1, "INCR", || Act::SayAndHangUp(""))).await;
    let client = Client::connect(&config(&mock)).await.unwrap();
    let error = client.send(incr()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown));
    assert_eq!(mock.seen().iter().filter(|command| *command == "INCR n").count(), 1);
    // The connection is made again by itself.
    assert!(matches!(client.send(incr()).await.unwrap(), Reply::One(Value::Int(1))));
}

#[tokio::test]
async fn what_must_happen_once_is_sent_again_after_a_clear_refusal() {
    let refuse = || Act::Say("-LOADING Redis is loading the dataset in memory\r\n".into());
    let mock = Mock::start(first(2, "INCR", refuse)).await;
    let client = Client::connect(&config(&mock)).await.unwrap();
    assert!(matches!(client.send(incr()).await.unwrap(), Reply::One(Value::Int(1))));
    assert_eq!(mock.increments(), 1);
}

#[tokio::test]
async fn a_connection_that_has_fallen_silent_is_replaced_and_ended_on_the_server() {
    let mock = Mock::start(first(1, "GET", || Act::FallSilent)).await;
    let client = Client::connect(&config(&mock)).await.unwrap();
    // No try may time out here, so the answer shows that the silence was noticed.
    assert_eq!(text(client.send(get("k")).await), "k");
    assert_eq!(mock.killed(), ["1"], "{:?}", mock.seen());
}

#[tokio::test]
async fn what_must_happen_once_fails_as_unknown_when_its_connection_has_fallen_silent() {
    let mock = Mock::start(first(1, "INCR", || Act::FallSilent)).await;
    let client = Client::connect(&config(&mock)).await.unwrap();
    let error = client.send(incr()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown));
    assert_eq!(mock.increments(), 0);
}

#[tokio::test]
async fn callers_that_gave_up_do_not_hide_the_silence() {
    let mock = Mock::start(first(1, "GET", || Act::FallSilent)).await;
    let client = Client::connect(&config(&mock)).await.unwrap();
    // Each of them waits for less than the time after which silence is noticed.
    let patience = Duration::from_millis(100);
    let mut given_up = 0;
    while tokio::time::timeout(patience, client.send(get("k"))).await.is_err() {
        given_up += 1;
        assert!(given_up < 100, "the silent connection is still in use");
    }
    assert!(given_up > 0);
}

#[tokio::test]
async fn a_server_that_takes_nothing_of_what_is_written_is_given_up() {
    let mock = Mock::start(first(1, "GET", || Act::Freeze)).await;
    let mut config = config(&mock);
    // Neither silence nor the limit of a try ends it.
    (config.write_timeout_ms, config.silence_timeout_ms) = (100, 60_000);
    let client = Client::connect(&config).await.unwrap();
    assert_eq!(text(client.send(get("k")).await), "k");
    let mut command = Command::new("APPEND");
    // More than the buffers of both ends take.
    command.arg("k").arg(vec![0_u8; 64 << 20].as_slice());
    let request = Request::new("append", Target::Slot(0), Body::Command(command));
    let (error, behind) = tokio::join!(client.send(request), client.send(incr()));
    let error = error.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown));
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("took nothing of the request"), "{source}");
    // What waits behind it was not written, and is sent again: it counts once.
    assert!(matches!(behind.unwrap(), Reply::One(Value::Int(1))));
    assert!(matches!(client.send(incr()).await.unwrap(), Reply::One(Value::Int(2))));
}

#[tokio::test]
async fn a_server_that_holds_a_command_back_itself_is_waited_for() {
    let asked = AtomicUsize::new(0);
    let mock = Mock::start(move |command, state| match command[0].as_str() {
        "SET" if state.connections.load(Ordering::SeqCst) == 1 => Act::FallSilent,
        "CLIENT" if command[1] == "LIST" => match asked.fetch_add(1, Ordering::SeqCst) {
            0..2 => Act::Say("$18\r\nid=1 flags=b db=0\n\r\n".into()),
            _ => Act::Usual,
        },
        _ => Act::Usual,
    })
    .await;
    let client = Client::connect(&config(&mock)).await.unwrap();
    let mut command = Command::new("SET");
    command.arg("k").arg("v");
    let set = Request::new("put", Target::Slot(0), Body::Command(command));
    client.send(set.with_repeat(Repeat::Safe)).await.unwrap();
    // Twice held back; not any more, says the one that asked; nor a fresh one.
    let lists = mock.seen().iter().filter(|command| command.starts_with("CLIENT LIST")).count();
    assert_eq!((lists, mock.killed().len()), (4, 1));
}

#[tokio::test]
async fn reads_go_around_a_write_that_the_server_holds_back() {
    let mock = Mock::start(|command, _| match command[0].as_str() {
        "INCR" => Act::FallSilent,
        "CLIENT" if command[1] == "LIST" => Act::Say("$18\r\nid=1 flags=b db=0\n\r\n".into()),
        _ => Act::Usual,
    })
    .await;
    let client = Client::connect(&config(&mock)).await.unwrap();
    let writing = tokio::spawn({
        let client = client.clone();
        async move { client.send(incr()).await }
    });
    while !mock.seen().contains(&"INCR n".to_owned()) {
        tokio::task::yield_now().await;
    }
    // Behind the write at first, then past it; in a pipeline, too.
    for round in 0..3 {
        assert_eq!(text(client.send(get("k")).await), "k", "{round}");
        let commands = ["a", "b"].map(|key| {
            let mut command = Command::new("GET");
            command.arg(key);
            command
        });
        let body = Body::Pipeline(commands.to_vec());
        let request = Request::new("get_many", Target::Slot(0), body).with_repeat(Repeat::Safe);
        let Reply::Many(answers) = client.send(request).await.unwrap() else { panic!() };
        assert_eq!(answers.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [ok("a"), ok("b")]);
    }
    assert!(!writing.is_finished());
    assert!(mock.killed().is_empty());
    assert_eq!(mock.seen().iter().filter(|command| *command == "INCR n").count(), 1);
    writing.abort();
}

#[tokio::test]
async fn an_idle_connection_that_is_closed_costs_the_next_call_nothing() {
    let mock = Mock::start(first(1, "GET", || Act::SayAndHangUp("$1\r\nk\r\n"))).await;
    let client = Client::connect(&config(&mock)).await.unwrap();
    assert_eq!(text(client.send(get("k")).await), "k");
    while mock.connections() < 2 {
        tokio::task::yield_now().await;
    }
    let reply = client.send(incr()).await;
    assert!(matches!(reply.unwrap(), Reply::One(Value::Int(1))));
}

#[tokio::test]
async fn a_call_has_a_deadline_of_its_own() {
    // The server reads everything and answers nothing: not even a fresh connection.
    let mock = Mock::start(|command, state| match command[0].as_str() {
        "PING" | "CLIENT" | "ROLE" if state.connections.load(Ordering::SeqCst) == 1 => Act::Usual,
        _ => Act::FallSilent,
    })
    .await;
    let mut config = config(&mock);
    config.call_timeout_ms = 700;
    let client = Client::connect(&config).await.unwrap();
    let error = client.send(get("k")).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::Unknown));
}

#[tokio::test]
async fn an_exclusive_connection_with_an_answer_due_is_not_given_to_another() {
    let mock = Mock::start(first(1, "BLPOP", || Act::FallSilent)).await;
    let mut config = config(&mock);
    config.pool_size_max = 1;
    let client = Client::connect(&config).await.unwrap();
    let mut command = Command::new("BLPOP");
    command.arg("list").arg(0_u64);
    let request = |command| {
        Request::new("pop", Target::Any, Body::Command(command)).with_lane(Lane::Exclusive)
    };
    let patience = Duration::from_millis(200);
    tokio::time::timeout(patience, client.send(request(command))).await.unwrap_err();
    let mut command = Command::new("GET");
    command.arg("k");
    assert_eq!(text(client.send(request(command)).await), "k");
}
