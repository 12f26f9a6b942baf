//! Redirections of a cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use super::*;
use crate::command::Command;

/// The slot map in which the server at `port` has everything.
fn whole_map(port: u16) -> Act {
    Act::Say(format!(
        "*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$9\r\n127.0.0.1\r\n:{port}\r\n$2\r\nid\r\n"
    ))
}

/// Two nodes: `old` has all slots, says `say` to `GET` with the port of the other in place of
/// `PORT`, and the other answers as usual.
async fn two_nodes(say: &'static str, map_follows: bool) -> (Mock, Mock, Client) {
    let new = Mock::start(|command, _| match command[0].as_str() {
        "CLUSTER" => Act::SayAndHangUp(""),
        _ => Act::Usual,
    })
    .await;
    let owner = Arc::new(AtomicU16::new(0));
    let shown = Arc::clone(&owner);
    let new_port = new.port();
    let old = Mock::start(move |command, _| match command[0].as_str() {
        "CLUSTER" => whole_map(shown.load(Ordering::SeqCst)),
        "GET" => Act::Say(say.replace("PORT", &new_port.to_string())),
        _ => Act::Usual,
    })
    .await;
    owner.store(old.port(), Ordering::SeqCst);
    let mut config = config(&old);
    config.topology =
        crate::config::Topology::cluster([crate::config::Address::tcp("127.0.0.1", old.port())]);
    let client = Client::connect(&config).await.unwrap();
    if map_follows {
        owner.store(new.port(), Ordering::SeqCst);
    }
    (old, new, client)
}

fn gets(mock: &Mock) -> usize {
    mock.seen().iter().filter(|command| command.starts_with("GET")).count()
}

#[tokio::test]
async fn moved_is_followed_and_remembered() {
    for say in ["-MOVED 0 127.0.0.1:PORT\r\n", "-MOVED 0 :PORT\r\n"] {
        let (old, new, client) = two_nodes(say, false).await;
        let epoch = client.topology_epoch();
        assert_eq!(text(client.send(get("k")).await), "k");
        assert_eq!(client.topology_epoch(), epoch + 1);
        assert_eq!(client.slot_owner(0).as_str(), format!("127.0.0.1:{}", new.port()));
        assert_eq!(client.slot_owner(1).as_str(), format!("127.0.0.1:{}", old.port()));
        assert_eq!(text(client.send(get("k")).await), "k");
        assert_eq!((gets(&old), gets(&new)), (1, 2));
    }
}

#[tokio::test]
async fn ask_is_followed_once_and_not_remembered() {
    let (old, new, client) = two_nodes("-ASK 0 127.0.0.1:PORT\r\n", false).await;
    let epoch = client.topology_epoch();
    for _ in 0..2 {
        assert_eq!(text(client.send(get("k")).await), "k");
    }
    assert_eq!(client.topology_epoch(), epoch);
    assert_eq!((gets(&old), gets(&new)), (2, 2));
    let sent = new.seen();
    let asking: Vec<_> = sent.iter().filter(|command| *command == "ASKING").collect();
    assert_eq!(asking.len(), 2);
}

#[tokio::test]
async fn the_map_is_asked_for_when_a_node_does_not_serve_its_slots() {
    let (old, new, client) = two_nodes("-CLUSTERDOWN Hash slot not served\r\n", true).await;
    assert_eq!(text(client.send(get("k")).await), "k");
    assert_eq!((gets(&old), gets(&new)), (1, 1));
    assert_eq!(client.nodes(), [NodeId::new(&format!("127.0.0.1:{}", new.port()))]);
}

#[tokio::test]
async fn redirected_commands_of_a_pipeline_keep_their_places() {
    let (_old, new, client) = two_nodes("-ASK 0 127.0.0.1:PORT\r\n", false).await;
    let mut read = Command::new("GET");
    read.arg("k");
    let commands = vec![Command::new("PING"), read.clone(), Command::new("PING"), read];
    let request = Request::new("get_many", Target::Slot(0), Body::Pipeline(commands));
    let Reply::Many(answers) = client.send(request).await.unwrap() else { panic!("one") };
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    let pong = Value::SimpleString("PONG".into());
    assert_eq!(answers, [pong.clone(), ok("k"), pong, ok("k")]);
    let after: Vec<_> = new.seen().into_iter().skip_while(|command| command != "ASKING").collect();
    assert_eq!(after, ["ASKING", "GET k", "ASKING", "GET k"]);
}

#[tokio::test]
async fn the_map_is_asked_for_when_a_node_is_lost() {
    let owner = Arc::new(AtomicU16::new(0));
    let mut mocks = Vec::new();
    for _ in 0..2 {
        let shown = Arc::clone(&owner);
        let mock = Mock::start(move |command, _| match command[0].as_str() {
            "CLUSTER" => whole_map(shown.load(Ordering::SeqCst)),
            _ => Act::Usual,
        });
        mocks.push(mock.await);
    }
    let [lost, left] = <[Mock; 2]>::try_from(mocks).ok().unwrap();
    owner.store(lost.port(), Ordering::SeqCst);
    let mut config = config(&lost);
    let seeds = [&lost, &left].map(|mock| crate::config::Address::tcp("127.0.0.1", mock.port()));
    config.topology = crate::config::Topology::cluster(seeds);
    let client = Client::connect(&config).await.unwrap();
    assert_eq!(text(client.send(get("k")).await), "k");
    lost.stop();
    owner.store(left.port(), Ordering::SeqCst);
    assert_eq!(text(client.send(get("k")).await), "k");
    assert_eq!(gets(&left), 1);
}
