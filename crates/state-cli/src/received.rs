//! Standard input as something that can be read twice, told of while it comes in.

use std::io::{self, Read};

use indicatif::ProgressBar;
use state_codec::Spool;

use crate::failure::Failure;
use crate::output::Output;
use crate::progress;

/// Copies standard input to its end into a temporary file.
pub(crate) fn standard_input(output: &Output) -> Result<Spool, Failure> {
    let bar = progress::received(output, "receive");
    let copied = copy(io::stdin().lock(), &bar);
    bar.finish_and_clear();
    copied
}

/// The temporary file is bounded by the room on the disk alone.
fn copy(source: impl Read, bar: &ProgressBar) -> Result<Spool, Failure> {
    Ok(Spool::copy(bar.wrap_read(source), None, u64::MAX - 1)?)
}

#[cfg(test)]
mod tests {
    use state_codec::SnapshotSource;

    use super::*;

    #[test]
    fn what_comes_in_is_told() {
        let bar = ProgressBar::hidden();
        let sent = vec![7; 300_000];
        let spool = copy(sent.as_slice(), &bar).unwrap();
        assert_eq!(bar.position(), 300_000);
        let mut received = Vec::new();
        spool.open().unwrap().read_to_end(&mut received).unwrap();
        assert_eq!(received, sent);
    }
}
