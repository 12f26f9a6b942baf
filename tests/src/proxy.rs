//! A TCP proxy in front of a server, whose faults are switched while it runs and which counts what passes.
//!
//! It understands RESP well enough to count commands and to cut a connection at an exact place of an exact command. It
//! runs on threads of its own, so that it works the same whatever runtime the test uses.

mod counts;
mod fault;
mod flow;
mod frames;
mod link;
mod shared;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

pub use counts::Counts;
pub use fault::{Cut, Ending, Fault, Moment};

use socket2::{Domain, Protocol, Socket, Type};

use shared::Shared;

/// A proxy in front of one server; dropped, it closes all its connections and its port.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Listens on a free loopback port and forwards to `server`, which need not answer yet.
    ///
    /// # Errors
    /// When no port can be opened.
    pub fn start(server: SocketAddr) -> io::Result<Self> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), server)
    }

    /// Listens on `address`.
    ///
    /// # Errors
    /// When the port cannot be opened.
    pub fn start_on(address: SocketAddr, server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let shared = Arc::new(Shared::new(listener.local_addr()?, server));
        let accepting = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || accept(listener, &shared))
        };
        Ok(Self { shared, accepting: Some(accepting) })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Where connections are forwarded to.
    pub fn server(&self) -> SocketAddr {
        self.shared.server()
    }

    /// Forwards connections made from now on to `server`.
    pub fn set_server(&self, server: SocketAddr) {
        self.shared.set_server(server);
    }

    /// Switches the fault, for connections that exist and for new ones. Returns when it is in force.
    pub fn set(&self, fault: Fault) {
        self.shared.set_fault(fault);
        if fault == Fault::Refuse {
            self.wake();
        }
        self.shared.wait_for_listener();
    }

    /// Arms a cut of one command; commands are counted from now on, over all connections.
    ///
    /// It fires once; see [`Proxy::cuts_done`]. A new cut replaces one that has not fired.
    pub fn cut(&self, cut: Cut) {
        self.shared.arm(cut);
    }

    /// How many armed cuts have fired.
    pub fn cuts_done(&self) -> u64 {
        self.shared.cuts_done()
    }

    /// Ends all connections that exist now: with a reset, a close, or by leaving them open and dead.
    pub fn end_connections(&self, ending: Ending) {
        self.shared.end_all(ending);
    }

    /// How many connections of clients are open.
    pub fn connections_open(&self) -> usize {
        self.shared.open_links()
    }

    /// What has passed so far. Links of the servers among themselves (replication, Sentinel) are not counted.
    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }

    /// Makes the thread that accepts look at the state again: a connection is what it waits for.
    fn wake(&self) {
        drop(TcpStream::connect(self.shared.address));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.close();
        self.wake();
        self.shared.end_all(Ending::Close);
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
    }
}

/// Accepts until the proxy is dropped; while connections are refused there is no listener at all, and nobody else's either.
fn accept(listener: TcpListener, shared: &Arc<Shared>) {
    let mut listener = Some(listener);
    while !shared.is_closed() {
        if shared.refuses() {
            drop(listener.take());
            let held = hold(shared.address);
            shared.listener_is(false);
            shared.wait_while_refusing();
            drop(held);
            continue;
        }
        let Some(open) = &listener else {
            listener = TcpListener::bind(shared.address).ok();
            continue;
        };
        shared.listener_is(true);
        let Ok((client, _)) = open.accept() else { continue };
        if !shared.is_closed() && !shared.refuses() {
            link::begin(client, shared);
        }
    }
}

/// Keeps a port from everybody without listening on it, so that clients are refused instead of meeting a server of
/// somebody else's. Bound beside connections that linger there, and then shared with nobody.
fn hold(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.set_reuse_address(false)?;
    Ok(socket)
}

#[cfg(test)]
mod tests;
