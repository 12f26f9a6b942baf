//! One connection through a proxy: two threads, one for each direction.

use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::SockRef;

use super::flow::{End, Flow};
use super::shared::Shared;
use super::{Ending, Fault};

pub(super) const PIECE_BYTES: usize = 64 * 1024;
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// A connection of a client, and the one to the server that belongs to it.
#[derive(Debug)]
pub(super) struct Link {
    client: TcpStream,
    server: Option<TcpStream>,
    /// Bytes were lost: nothing passes any more, but the client is not told.
    silent: AtomicBool,
    ended: AtomicBool,
}

/// Serves a connection that was accepted, on threads of its own.
pub(super) fn begin(client: TcpStream, shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        let swallows = matches!(shared.fault(), Fault::BlackHole | Fault::HalfOpen);
        let server = if swallows {
            None
        } else {
            let Ok(server) = TcpStream::connect_timeout(&shared.server(), CONNECT_PATIENCE) else {
                reset_on_close(&client);
                return;
            };
            drop(server.set_nodelay(true));
            Some(server)
        };
        drop(client.set_nodelay(true));
        let silent = AtomicBool::new(swallows);
        let link = Arc::new(Link { client, server, silent, ended: AtomicBool::new(false) });
        let id = shared.add_link(Arc::clone(&link));
        let replies = {
            let (link, shared) = (Arc::clone(&link), Arc::clone(&shared));
            std::thread::spawn(move || link.carry_replies(id, &shared))
        };
        link.carry_requests(id, &shared);
        drop(replies.join());
        // The sockets close when the last owner is gone: the one in the list, and this one.
        shared.remove_link(id);
    });
}

impl Link {
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    pub(super) fn end(&self, ending: Ending) {
        match ending {
            Ending::Silence => self.fall_silent(),
            Ending::Reset => {
                // Ending only what is read tells the client nothing; the reset goes out when the socket closes.
                reset_on_close(&self.client);
                self.ended.store(true, Ordering::SeqCst);
                drop(self.client.shutdown(Shutdown::Read));
            }
            Ending::Close => {
                self.ended.store(true, Ordering::SeqCst);
                drop(self.client.shutdown(Shutdown::Both));
            }
        }
        self.end_server(Shutdown::Both);
    }

    /// From now on nothing passes. The server is not told either, as when a network loses packets.
    pub(super) fn fall_silent(&self) {
        self.silent.store(true, Ordering::SeqCst);
    }

    /// Whether nothing passes any more, without the client being told.
    pub(super) fn is_silent(&self) -> bool {
        self.silent.load(Ordering::SeqCst)
    }

    fn end_server(&self, how: Shutdown) {
        if let Some(server) = &self.server {
            drop(server.shutdown(how));
        }
    }

    fn carry_requests(&self, id: u64, shared: &Shared) {
        if let Some(server) = &self.server {
            Flow::requests(self, id, shared).carry(&self.client, server);
        }
        if self.is_silent() {
            self.swallow();
            self.end_server(Shutdown::Both);
        } else {
            // What was asked is still answered.
            self.end_server(Shutdown::Write);
        }
    }

    fn carry_replies(&self, id: u64, shared: &Shared) {
        let Some(server) = &self.server else { return };
        let end = Flow::replies(self, id, shared).carry(server, &self.client);
        if self.is_silent() || self.has_ended() {
            return;
        }
        match end {
            End::OfStream => drop(self.client.shutdown(Shutdown::Write)),
            End::Broken => self.end(Ending::Reset),
        }
    }

    /// Reads until the client gives up.
    fn swallow(&self) {
        let mut piece = vec![0; PIECE_BYTES];
        while (&self.client).read(&mut piece).is_ok_and(|count| count > 0) {}
    }
}

/// Makes the system send a reset instead of an orderly end when the socket is closed.
fn reset_on_close(socket: &TcpStream) {
    drop(SockRef::from(socket).set_linger(Some(Duration::ZERO)));
}
