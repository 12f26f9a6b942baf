//! Which commands a server answers while it makes writes wait: `CLIENT PAUSE … WRITE`, a failover in order.

use crate::command::Command;

/// The reads that this driver sends as plain commands, and what it asks servers about themselves. A script may write, as
/// far as a server knows, so those that only read are not among them.
const READS: [&[u8]; 18] = [
    b"CLUSTER",
    b"EXISTS",
    b"GET",
    b"GETRANGE",
    b"HGET",
    b"HLEN",
    b"HMGET",
    b"HSCAN",
    b"INFO",
    b"MGET",
    b"PEXPIRETIME",
    b"PING",
    b"PTTL",
    b"SCAN",
    b"STRLEN",
    b"XRANGE",
    b"XREVRANGE",
    b"ZRANGEBYLEX",
];

/// Whether `command` is one of them.
pub(super) fn is_read(command: &Command) -> bool {
    READS.contains(&command.name())
}

/// Whether all of `commands` are.
pub(super) fn are_reads(commands: &[Command]) -> bool {
    commands.iter().all(is_read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_write_is_no_read() {
        assert!(is_read(Command::new("GET").arg("k")));
        assert!(is_read(Command::new("CLUSTER").arg("NODES")));
        for write in ["SET", "GETDEL", "GETEX", "EVALSHA", "UNLINK", "PUBLISH", "WAIT", "ASKING"] {
            assert!(!is_read(Command::new(write).arg("k")), "{write}");
        }
        let mut commands = vec![Command::new("GET"), Command::new("MGET")];
        assert!(are_reads(&commands));
        commands.push(Command::new("SET"));
        assert!(!are_reads(&commands));
    }
}
