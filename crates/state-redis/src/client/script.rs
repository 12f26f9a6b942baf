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
        let mut command = self.begin(keys, args.len(), args.iter().map(Bytes::len).sum());
        for arg in args {
            command.arg(arg);
        }
        command
    }

    /// The beginning of that command, with room for so many arguments of so many bytes in all.
    pub(crate) fn begin(&self, keys: &[Bytes], args: usize, bytes: usize) -> Command {
        let digest =
            self.digest.get_or_init(|| redis::Script::new(self.code).get_hash().to_owned());
        let size = keys.iter().map(Bytes::len).sum::<usize>() + bytes;
        let parts = 2 + keys.len() + args;
        let mut command = Command::with_capacity("EVALSHA", parts, size + digest.len() + 4);
        command.arg(digest.as_str()).arg(keys.len());
        for key in keys {
            command.arg(key);
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
