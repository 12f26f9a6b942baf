//! Remembered operations as stored bytes.

use bytes::Bytes;
use state_core::{Timestamp, Version};

use super::{Input, Kind, Output, seal, unseal};
use crate::tables::{OpOutcome, Remembered};

const WRITTEN: u8 = 0;
const DELETED: u8 = 1;
const INCREMENTED: u8 = 2;
const TRANSACTION: u8 = 3;

pub(in crate::file) fn of_remembered(key: &[u8], operation: &Remembered) -> Vec<u8> {
    let mut body = Output::default();
    body.number(operation.digest).number(operation.deadline.unix_ms());
    write_outcome(&mut body, &operation.outcome);
    seal(Kind::Operation, key, &body.0)
}

pub(in crate::file) fn remembered(key: &[u8], record: &[u8]) -> Option<Remembered> {
    let mut input = Input(unseal(Kind::Operation, key, record)?);
    let digest = input.number()?;
    let deadline = Timestamp::from_unix_ms(input.number()?);
    let outcome = match input.byte()? {
        TRANSACTION => {
            let count = input.number()?;
            // Nothing is reserved for the count: a lying one ends where the bytes do.
            let outcomes = (0..count).map(|_| {
                let kind = input.byte()?;
                read_outcome(&mut input, kind)
            });
            OpOutcome::Transaction(outcomes.collect::<Option<_>>()?)
        }
        kind => read_outcome(&mut input, kind)?,
    };
    input.end(Remembered { digest, outcome, deadline })
}

fn write_outcome(body: &mut Output, outcome: &OpOutcome) {
    match outcome {
        OpOutcome::Written(version) => {
            body.byte(WRITTEN).bytes(version.as_bytes());
        }
        OpOutcome::Deleted { existed, previous } => {
            body.byte(DELETED).byte(u8::from(*existed)).byte(u8::from(previous.is_some()));
            if let Some((value, version)) = previous {
                body.counted(value).bytes(version.as_bytes());
            }
        }
        OpOutcome::Incremented { value, version } => {
            body.byte(INCREMENTED).bytes(&value.to_le_bytes()).bytes(version.as_bytes());
        }
        OpOutcome::Transaction(outcomes) => {
            body.byte(TRANSACTION).number(outcomes.len() as u64);
            for outcome in outcomes {
                write_outcome(body, outcome);
            }
        }
    }
}

/// An outcome that is not a transaction: those do not nest.
fn read_outcome(input: &mut Input<'_>, kind: u8) -> Option<OpOutcome> {
    Some(match kind {
        WRITTEN => OpOutcome::Written(Version::from_bytes(input.array()?)),
        DELETED => {
            let existed = input.flag()?;
            let previous = if input.flag()? {
                let value = Bytes::copy_from_slice(input.counted()?);
                Some((value, Version::from_bytes(input.array()?)))
            } else {
                None
            };
            OpOutcome::Deleted { existed, previous }
        }
        INCREMENTED => OpOutcome::Incremented {
            value: i64::from_le_bytes(input.array()?),
            version: Version::from_bytes(input.array()?),
        },
        _ => return None,
    })
}
