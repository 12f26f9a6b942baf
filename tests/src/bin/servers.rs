//! Starts the servers of a setup and keeps them until standard input ends, to try something on them by hand.
//!
//! `servers SETUP` prints the URL, the numbers of the processes and the folder of the files, then `ready`.
//! `servers certificates FOLDER` only makes the certificates that `docker/tls/compose.yaml` needs.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to people"
)]

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use state_tests::servers::{self, Node, Servers, ServersError};

const USAGE: &str = "\
usage: servers standalone|replica|sentinel|cluster|tls|valkey
       servers certificates FOLDER";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["certificates", folder] => servers::make_certificates(Path::new(folder)),
        [setup] => setup.parse().and_then(keep),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn keep(setup: servers::Setup) -> Result<(), ServersError> {
    let running = Servers::start(setup)?;
    println!("url {}", running.url());
    for pid in running.nodes().iter().filter_map(Node::pid) {
        println!("pid {pid}");
    }
    println!("folder {}", running.folder().display());
    println!("ready; ends with standard input or Ctrl-C");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
