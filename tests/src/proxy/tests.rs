//! The proxy against a tiny server that answers every command with `+OK`.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::frames::Scanner;
use super::{Cut, Ending, Fault, Moment, Proxy};

/// Long enough for loopback on a busy machine; only a broken proxy takes it.
const PATIENCE: Duration = Duration::from_secs(20);
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const OK: &[u8] = b"+OK\r\n";

/// A server that executes whole commands, counts them, and reports each connection that ends.
struct Tiny {
    address: SocketAddr,
    executed: Arc<AtomicU64>,
    ended: Receiver<()>,
}

impl Tiny {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let executed = Arc::new(AtomicU64::new(0));
        let (sender, ended) = channel();
        let counter = Arc::clone(&executed);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (counter, sender) = (Arc::clone(&counter), sender.clone());
                std::thread::spawn(move || {
                    answer(client.unwrap(), &counter);
                    sender.send(()).unwrap_or_default();
                });
            }
        });
        Self { address, executed, ended }
    }

    fn executed(&self) -> u64 {
        self.executed.load(Ordering::SeqCst)
    }
}

fn answer(mut client: TcpStream, executed: &AtomicU64) {
    let mut scanner = Scanner::default();
    let mut piece = [0; 1024];
    while let Ok(count @ 1..) = client.read(&mut piece) {
        for _ in scanner.feed(&piece[..count]).unwrap() {
            executed.fetch_add(1, Ordering::SeqCst);
            if client.write_all(OK).is_err() {
                return;
            }
        }
    }
}

fn connect(proxy: &Proxy) -> TcpStream {
    let client = TcpStream::connect(proxy.address()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.set_nodelay(true).unwrap();
    client
}

fn ask(client: &mut TcpStream) {
    client.write_all(PING).unwrap();
    let mut reply = [0; OK.len()];
    client.read_exact(&mut reply).unwrap();
    assert_eq!(reply, OK);
}

/// What the client gets until the connection ends, and whether it ended by a reset.
fn rest(client: &mut TcpStream) -> (Vec<u8>, bool) {
    let mut got = Vec::new();
    let mut byte = [0];
    loop {
        match client.read(&mut byte) {
            Ok(0) => return (got, false),
            Ok(_) => got.extend(byte),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return (got, true),
            Err(error) => panic!("{error}"),
        }
    }
}

/// That nothing comes, for a moment: what is lost cannot be waited for.
fn assert_silent(client: &mut TcpStream) {
    client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let error = client.read(&mut [0]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    client.set_read_timeout(Some(PATIENCE)).unwrap();
}

#[test]
fn commands_bytes_and_round_trips_are_counted() {
    let server = Tiny::start();
    let proxy = Proxy::start(server.address).unwrap();
    let mut client = connect(&proxy);
    ask(&mut client);
    let before = proxy.counts();
    client.write_all(&PING.repeat(10)).unwrap();
    let mut replies = vec![0; OK.len() * 10];
    client.read_exact(&mut replies).unwrap();
    ask(&mut client);
    let counts = proxy.counts().since(&before);
    assert_eq!(counts.commands, 11);
    assert_eq!(counts.count("PING"), 11);
    assert_eq!(counts.round_trips, 2, "a pipeline is one round trip");
    assert_eq!(counts.bytes_to_server, 11 * PING.len() as u64);
    assert_eq!(counts.bytes_to_client, 11 * OK.len() as u64);
    assert_eq!((before.connections, counts.connections), (1, 0));
}

#[test]
fn links_between_servers_are_not_counted() {
    let server = Tiny::start();
    let proxy = Proxy::start(server.address).unwrap();
    let mut replica = connect(&proxy);
    ask(&mut replica);
    replica.write_all(b"REPLCONF ack 1\r\n").unwrap();
    replica.read_exact(&mut [0; OK.len()]).unwrap();
    let mut client = connect(&proxy);
    ask(&mut client);
    let counts = proxy.counts();
    assert_eq!((counts.connections, counts.commands), (1, 1));
}

#[test]
fn a_command_is_cut_exactly_where_it_is_asked_to_be() {
    for moment in Moment::ALL {
        for ending in [Ending::Reset, Ending::Close] {
            let server = Tiny::start();
            let proxy = Proxy::start(server.address).unwrap();
            let mut client = connect(&proxy);
            ask(&mut client);
            proxy.cut(Cut::reset(3, moment).with_ending(ending));
            ask(&mut client);
            ask(&mut client);
            client.write_all(PING).unwrap();
            let (got, reset) = rest(&mut client);
            let expected = match moment {
                Moment::MidReply => &OK[..OK.len() / 2],
                Moment::AfterReply => OK,
                _ => b"",
            };
            assert_eq!(got, expected, "{moment:?} {ending:?}");
            assert_eq!(reset, ending == Ending::Reset, "{moment:?} {ending:?}");
            server.ended.recv_timeout(PATIENCE).unwrap();
            assert_eq!(server.executed(), 3 + u64::from(moment.is_executed()), "{moment:?}");
            ask(&mut connect(&proxy));
            assert_eq!(proxy.cuts_done(), 1);
        }
    }
}

#[test]
fn a_cut_in_silence_leaves_the_client_waiting() {
    let server = Tiny::start();
    let proxy = Proxy::start(server.address).unwrap();
    let mut client = connect(&proxy);
    proxy.cut(Cut::reset(1, Moment::BeforeReply).with_ending(Ending::Silence));
    client.write_all(PING).unwrap();
    server.ended.recv_timeout(PATIENCE).unwrap();
    assert_eq!(server.executed(), 1);
    assert_silent(&mut client);
    client.write_all(PING).unwrap();
    assert_silent(&mut client);
}

#[test]
fn a_black_hole_swallows_and_what_it_touched_stays_dead() {
    let server = Tiny::start();
    let proxy = Proxy::start(server.address).unwrap();
    let (mut touched, mut untouched) = (connect(&proxy), connect(&proxy));
    ask(&mut touched);
    ask(&mut untouched);
    proxy.set(Fault::BlackHole);
    touched.write_all(PING).unwrap();
    let mut fresh = connect(&proxy);
    fresh.write_all(PING).unwrap();
    assert_silent(&mut touched);
    assert_silent(&mut fresh);
    proxy.set(Fault::Pass);
    touched.write_all(PING).unwrap();
    assert_silent(&mut touched);
    ask(&mut untouched);
    ask(&mut connect(&proxy));
    assert_eq!(server.executed(), 4);
}

#[test]
fn refusing_resets_what_is_open_and_lets_nobody_in() {
    let server = Tiny::start();
    let proxy = Proxy::start(server.address).unwrap();
    let mut client = connect(&proxy);
    ask(&mut client);
    for _ in 0..3 {
        proxy.set(Fault::Refuse);
        let error = TcpStream::connect(proxy.address()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let error = TcpListener::bind(proxy.address()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse, "the port stays the proxy's");
        proxy.set(Fault::Pass);
        ask(&mut connect(&proxy));
    }
    assert_eq!(rest(&mut client), (Vec::new(), true));
}

#[test]
fn half_open_tells_the_server_and_not_the_client() {
    let server = Tiny::start();
    let proxy = Proxy::start(server.address).unwrap();
    let mut client = connect(&proxy);
    ask(&mut client);
    proxy.set(Fault::HalfOpen);
    server.ended.recv_timeout(PATIENCE).unwrap();
    client.write_all(PING).unwrap();
    assert_silent(&mut client);
    proxy.set(Fault::Pass);
    assert_silent(&mut client);
    ask(&mut connect(&proxy));
}

#[test]
fn what_is_held_arrives_late_even_if_the_client_left() {
    let server = Tiny::start();
    let proxy = Proxy::start(server.address).unwrap();
    let mut client = connect(&proxy);
    ask(&mut client);
    proxy.set(Fault::Hold);
    client.write_all(PING).unwrap();
    assert_silent(&mut client);
    assert_eq!(server.executed(), 1);
    drop(client);
    proxy.set(Fault::Pass);
    server.ended.recv_timeout(PATIENCE).unwrap();
    assert_eq!(server.executed(), 2);
}

#[test]
fn slow_and_chopped_streams_stay_whole() {
    let server = Tiny::start();
    let proxy = Proxy::start(server.address).unwrap();
    let mut client = connect(&proxy);
    for fault in [Fault::Delay(Duration::from_millis(1)), Fault::Chunks(NonZeroUsize::MIN)] {
        proxy.set(fault);
        client.write_all(&PING.repeat(50)).unwrap();
        let mut replies = vec![0; OK.len() * 50];
        client.read_exact(&mut replies).unwrap();
        assert_eq!(replies, OK.repeat(50));
    }
    assert_eq!(proxy.counts().commands, 100);
}

#[test]
fn what_is_not_resp_passes_unchanged() {
    let echo = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(echo.local_addr().unwrap()).unwrap();
    let serving = std::thread::spawn(move || {
        let (mut client, _) = echo.accept().unwrap();
        let mut all = Vec::new();
        client.read_to_end(&mut all).unwrap();
        client.write_all(&all).unwrap();
    });
    proxy.cut(Cut::reset(1, Moment::BeforeRequest));
    let mut client = connect(&proxy);
    let sent: Vec<u8> = (0..=255_u8).cycle().skip(22).take(300_000).collect();
    client.write_all(&sent).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&mut client), (sent, false));
    serving.join().unwrap();
    assert_eq!((proxy.counts().commands, proxy.cuts_done()), (0, 0));
}

#[test]
fn a_dropped_proxy_closes_its_port_and_its_connections() {
    let server = Tiny::start();
    let proxy = Proxy::start(server.address).unwrap();
    let mut client = connect(&proxy);
    ask(&mut client);
    let address = proxy.address();
    drop(proxy);
    assert_eq!(rest(&mut client), (Vec::new(), false));
    server.ended.recv_timeout(PATIENCE).unwrap();
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}
