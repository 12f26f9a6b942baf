//! A Lua script and the command that calls it.

use crate::command::Command;
use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;

/// A script that runs on the server, called by its digest.
pub(crate) struct Script {
    name: &'static str,
    code: &'static str,
    digest: OnceLock<String>,
}

impl Script {
    /// The script `code`, which errors call `name`.
    pub(crate) const fn new(name: &'static str, code: &'static str) -> Self {
        Self { name, code, digest: OnceLock::new() }
    }

    /// What people call it.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// The command that calls it on a server that knows it.
    pub(crate) fn call(&self, keys: &[Bytes], args: &[Bytes]) -> Command {
        let digest =
            self.digest.get_or_init(|| redis::Script::new(self.code).get_hash().to_owned());
        let size = keys.iter().chain(args).map(Bytes::len).sum::<usize>();
        let parts = keys.len() + args.len();
        let mut command = Command::with_capacity("EVALSHA", 2 + parts, size + digest.len() + 4);
        command.arg(digest.as_str()).arg(keys.len());
        for part in keys.iter().chain(args) {
            command.arg(part);
        }
        command
    }

    /// The command that teaches it to a server.
    pub(crate) fn load(&self) -> Command {
        let mut command = Command::new("SCRIPT");
        command.arg("LOAD").arg(self.code);
        command
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Script").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_names_the_digest_the_number_of_keys_and_then_all_arguments() {
        static ONE: Script = Script::new("one", "return 1");
        let command = ONE.call(&[Bytes::from_static(b"k")], &[Bytes::from_static(b"\0\r\n")]);
        assert_eq!(
            Command::pack_all(&[command]),
            b"*5\r\n$7\r\nEVALSHA\r\n$40\r\ne0e1f9fabfc9d4800c877a703b823ac0578ff8db\r\n\
              $1\r\n1\r\n$1\r\nk\r\n$3\r\n\0\r\n\r\n"
        );
    }
}
