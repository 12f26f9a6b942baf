//! What is said of stores on a server, as far as no server is needed for it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};

use crate::bench::Bench;

const SECRET: &str = "s3cret-pass";

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    let bench = Bench::new();
    let (listener, port) = listen();
    drop(listener);
    for scheme in ["redis", "valkey", "redis+cluster"] {
        let store = format!("{scheme}://worker:{SECRET}@127.0.0.1:{port}");
        for arguments in [
            &["get", "k"][..],
            &["put", "k", "v"],
            &["info"],
            &["doctor"],
            &["threads"],
            &["show", "chat"],
        ] {
            let run = bench.run_bare([&["--store", &store], arguments].concat());
            assert_eq!(run.exits(3), "", "{store} {arguments:?}");
            assert!(!run.stderr.contains(SECRET), "{}", run.stderr);
            let address = format!("127.0.0.1:{port}");
            assert!(run.stderr.contains(&address), "{}", run.stderr);
            assert!(run.stderr.contains("nothing was changed"), "{}", run.stderr);
        }
    }
    let store = format!("redis://:{SECRET}@127.0.0.1:{port}");
    let run = bench.run_bare(["--json", "--store", &store, "get", "k"]);
    run.exits(3);
    assert_eq!(run.error()["kind"], "unavailable");
    assert!(!run.stderr.contains(SECRET), "{}", run.stderr);
}

#[test]
fn a_password_that_is_refused_is_no_missing_server() {
    let bench = Bench::new();
    let (listener, port) = listen();
    // Ends with the program of the test: it waits for connections for as long as there may be any.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4_096];
            while stream.read(&mut request).is_ok_and(|read| read > 0) {
                let refusal = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n";
                if stream.write_all(refusal).is_err() {
                    break;
                }
            }
        }
    });
    let store = format!("redis://worker:{SECRET}@127.0.0.1:{port}");
    let run = bench.run_bare(["--json", "--store", &store, "get", "k"]);
    run.exits(3);
    let error = run.error();
    assert_eq!(error["kind"], "denied");
    assert!(error["message"].as_str().unwrap().contains("password"), "{error}");
    assert!(error["next"].as_str().unwrap().contains("password"), "{error}");
    assert!(!run.stderr.contains(SECRET), "{}", run.stderr);
}

#[test]
fn a_url_that_is_wrong_is_a_usage_error() {
    let bench = Bench::new();
    for (store, said) in [
        (format!("redis+disk://:{SECRET}@host"), "scheme"),
        (format!("redis://:{SECRET}@host/one"), "database"),
        (format!("redis://host?colour={SECRET}"), "colour"),
    ] {
        let run = bench.run_bare(["--store", &store, "get", "k"]);
        run.exits(2);
        assert!(run.stderr.contains(said), "{}", run.stderr);
        assert!(!run.stderr.contains(SECRET), "{}", run.stderr);
    }
}

#[test]
fn the_demonstration_of_a_stream_needs_a_file() {
    let bench = Bench::new();
    let store = format!("redis://:{SECRET}@127.0.0.1:1");
    let run = bench.run_bare(["--store", &store, "demo", "stream"]);
    run.exits(2);
    assert!(run.stderr.contains("store in a file"), "{}", run.stderr);
    assert!(!run.stderr.contains(SECRET), "{}", run.stderr);
    // An agent's life can be on a server, which must be there.
    let run = bench.run_bare(["--store", &store, "demo"]);
    run.exits(3);
    assert!(!run.stderr.contains(SECRET), "{}", run.stderr);
}
