//! Writes that may still be on their way when they are to be sent again.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::command::Command;

fn set(repeat: Repeat) -> Request {
    let mut command = Command::new("SET");
    command.arg("k").arg("v");
    Request::new("put", Target::Slot(0), Body::Command(command)).with_repeat(repeat)
}

/// Hangs up on the first `SET`, and answers `CLIENT KILL` with `kill`.
async fn lossy(kill: &'static str) -> Mock {
    let seen = AtomicUsize::new(0);
    Mock::start(move |command, _| match command[0].as_str() {
        "SET" if seen.fetch_add(1, Ordering::SeqCst) == 0 => Act::SayAndHangUp(""),
        "CLIENT" if command[1] == "KILL" => Act::Say(kill.into()),
        _ => Act::Usual,
    })
    .await
}

fn sets(mock: &Mock) -> usize {
    mock.seen().iter().filter(|command| command.starts_with("SET k")).count()
}

#[tokio::test]
async fn an_overwrite_is_sent_again_once_the_server_has_ended_the_old_connection() {
    // Nobody by that number: it has ended before.
    let mock = lossy(":0\r\n").await;
    let client = Client::connect(&config(&mock)).await.unwrap();
    client.send(set(Repeat::LastWins)).await.unwrap();
    let seen = mock.seen();
    let killed = seen.iter().position(|command| command.starts_with("CLIENT KILL")).unwrap();
    let again = seen.iter().rposition(|command| command == "SET k v").unwrap();
    assert!(killed < again, "{seen:?}");
    assert_eq!(sets(&mock), 2);
}

#[tokio::test]
async fn an_overwrite_whose_connection_the_server_will_not_end_is_unknown() {
    for lane in [Lane::Point, Lane::Bulk, Lane::Exclusive] {
        let mock = lossy("-NOPERM this user has no permissions to run 'client|kill'\r\n").await;
        let client = Client::connect(&config(&mock)).await.unwrap();
        let error = client.send(set(Repeat::LastWins).with_lane(lane)).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown));
        assert_eq!(sets(&mock), 1, "{:?}", mock.seen());
    }
}

#[tokio::test]
async fn an_overwrite_whose_connection_cannot_be_named_is_unknown() {
    let seen = AtomicUsize::new(0);
    let mock = Mock::start(move |command, _| match command[0].as_str() {
        "SET" if seen.fetch_add(1, Ordering::SeqCst) == 0 => Act::SayAndHangUp(""),
        "CLIENT" if command[1] == "ID" => Act::Say("-NOPERM\r\n".into()),
        _ => Act::Usual,
    })
    .await;
    let client = Client::connect(&config(&mock)).await.unwrap();
    let error = client.send(set(Repeat::LastWins)).await.unwrap_err();
    assert_eq!((error.outcome(), sets(&mock)), (Outcome::Unknown, 1), "{error}");
}

#[tokio::test]
async fn what_does_no_harm_in_any_order_is_sent_again_without_asking() {
    let mock = lossy("-NOPERM\r\n").await;
    let client = Client::connect(&config(&mock)).await.unwrap();
    client.send(set(Repeat::Safe)).await.unwrap();
    assert_eq!((sets(&mock), mock.killed().len()), (2, 0));
}

#[tokio::test]
async fn a_write_that_waits_says_what_was_reached_and_is_settled_as_any_other() {
    let seen = AtomicUsize::new(0);
    let mock = Mock::start(move |command, _| match command[0].as_str() {
        "SET" if seen.fetch_add(1, Ordering::SeqCst) == 0 => Act::SayAndHangUp(""),
        "WAIT" => Act::Say(":1\r\n".into()),
        _ => Act::Usual,
    })
    .await;
    let client = Client::connect(&config(&mock)).await.unwrap();
    let mut tally = Tally::default();
    let mut request = set(Repeat::LastWins).with_wait(Some(Wait::Replicas(2)));
    let answered = client.call(&mut request, &mut tally).await.unwrap();
    assert_eq!(answered.reached, [state_core::AcksReached::by_replicas(1)]);
    assert!(answered.unsettled);
    assert_eq!((sets(&mock), mock.killed().len(), tally.retries), (2, 1, 1), "{:?}", mock.seen());
    assert_eq!((tally.commands, tally.pipelines), (4, 2), "two writes with their waits");
}

#[tokio::test]
async fn nothing_is_written_where_the_disk_cannot_be_waited_for() {
    for (version, aof, written) in [("7.0.15", "1", 0), ("7.2.0", "0", 0), ("7.2.0", "1", 1)] {
        let info = format!("redis_version:{version}\r\naof_enabled:{aof}\r\n");
        let mock = Mock::start(move |command, _| match command[0].as_str() {
            "INFO" => Act::Say(format!("${}\r\n{info}\r\n", info.len())),
            "WAITAOF" => Act::Say("*2\r\n:1\r\n:0\r\n".into()),
            _ => Act::Usual,
        })
        .await;
        let client = Client::connect(&config(&mock)).await.unwrap();
        let mut request = set(Repeat::LastWins).with_wait(Some(Wait::Disk));
        let answered = client.call(&mut request, &mut Tally::default()).await;
        assert_eq!(sets(&mock), written, "{version} {aof}");
        match answered {
            Ok(answered) => assert_eq!(answered.reached, [state_core::AcksReached::FSYNCED]),
            Err(error) => {
                let (kind, outcome) = (error.kind(), error.outcome());
                assert_eq!((kind, outcome), (ErrorKind::Unsupported, Outcome::NotApplied));
                assert_eq!(written, 0);
            }
        }
    }
}
