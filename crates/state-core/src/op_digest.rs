//! Telling a resent operation from another one that bears its id by mistake.

use crate::{
    DeleteOptions, Expiry, IncrementOptions, Key, LifetimeOn, Precondition, PutOptions,
    Transaction, WriteOp,
};

/// A digest of what an operation does, for stores that remember operations by their
/// [`OpId`](crate::OpId).
///
/// 64-bit FNV-1a over the operation's name, its arguments and the options that change its
/// effect: the same in every build, so that it can be stored. It tells mistakes apart, not
/// attacks.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct OpDigest(u64);

impl OpDigest {
    const EMPTY: Self = Self(0xcbf2_9ce4_8422_2325);

    /// The digest of a put.
    pub fn of_put(value: &[u8], options: &PutOptions) -> Self {
        let put = Self::EMPTY.add(b"put").add(value);
        put.add_precondition(options.precondition).add_expiry(options.expiry)
    }

    /// The digest of a delete.
    pub fn of_delete(options: &DeleteOptions) -> Self {
        let delete = Self::EMPTY.add(b"delete").add_precondition(options.precondition);
        delete.add(&[u8::from(options.return_value)])
    }

    /// The digest of an increment.
    pub fn of_increment(by: i64, options: &IncrementOptions) -> Self {
        let lifetime_on: &[u8] = match options.lifetime_on {
            LifetimeOn::Create => b"create",
            LifetimeOn::Every => b"every",
        };
        let increment = Self::EMPTY.add(b"increment").add(&by.to_le_bytes());
        increment.add_expiry(options.expiry).add(lifetime_on)
    }

    /// The digest of a transaction: of its checks and writes, in their order, with their keys.
    pub fn of_transaction(transaction: &Transaction) -> Self {
        let checks = transaction
            .checks
            .iter()
            .map(|check| Self::of_check(check.precondition).on(&check.key));
        let ops = transaction.ops.iter().map(|op| match op {
            WriteOp::Put { key, value, options } => Self::of_put(value, options).on(key),
            WriteOp::Delete { key, options } => Self::of_delete(options).on(key),
            WriteOp::Increment { key, by, options } => Self::of_increment(*by, options).on(key),
        });
        let parts = checks.chain(ops);
        parts
            .fold(Self::EMPTY.add(b"transaction"), |digest, part| digest.add(&part.0.to_le_bytes()))
    }

    /// The number of the digest.
    pub const fn get(self) -> u64 {
        self.0
    }

    fn of_check(precondition: Precondition) -> Self {
        Self::EMPTY.add(b"check").add_precondition(precondition)
    }

    fn add_precondition(self, precondition: Precondition) -> Self {
        match precondition {
            Precondition::Always => self.add(b"always"),
            Precondition::Absent => self.add(b"absent"),
            Precondition::Present => self.add(b"present"),
            Precondition::Matches(version) => self.add(b"matches").add(version.as_bytes()),
        }
    }

    fn add_expiry(self, expiry: Expiry) -> Self {
        match expiry {
            Expiry::Default => self.add(b"default"),
            Expiry::Never => self.add(b"never"),
            Expiry::After(lifetime) => self.add(b"after").add(&lifetime.as_nanos().to_le_bytes()),
            Expiry::At(deadline) => self.add(b"at").add(&deadline.unix_ms().to_le_bytes()),
            Expiry::Keep => self.add(b"keep"),
        }
    }

    /// The same digest for one key only.
    fn on(self, key: &Key) -> Self {
        let partition = key.partition().map_or(b"".as_slice(), |partition| partition);
        self.add(&[u8::from(key.partition().is_some())]).add(partition).add(key.name())
    }

    /// Adds a length and bytes, so that no two lists of parts give the same input.
    fn add(self, bytes: &[u8]) -> Self {
        let length = (bytes.len() as u64).to_le_bytes();
        let digest = length.iter().chain(bytes).fold(self.0, |digest, byte| {
            (digest ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(digest)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Timestamp, Version};

    #[test]
    fn what_has_another_effect_has_another_digest() {
        let put = PutOptions::new();
        let digests = [
            OpDigest::of_put(b"a", &put),
            OpDigest::of_put(b"b", &put),
            OpDigest::of_put(b"a", &put.clone().with_precondition(Precondition::Absent)),
            OpDigest::of_delete(&DeleteOptions::new()),
            OpDigest::of_delete(&DeleteOptions::new().with_return_value(true)),
            OpDigest::of_increment(1, &IncrementOptions::new()),
            OpDigest::of_increment(2, &IncrementOptions::new()),
            OpDigest::of_transaction(&Transaction::new().op(WriteOp::put("k", "a"))),
            OpDigest::of_transaction(&Transaction::new().op(WriteOp::put("l", "a"))),
        ];
        for (i, left) in digests.iter().enumerate() {
            for (j, right) in digests.iter().enumerate() {
                assert_eq!(left == right, i == j, "{i} and {j}");
            }
        }
    }

    #[test]
    fn the_digest_of_an_operation_is_the_same_in_every_build() {
        let version = Version::from_bytes([7; 16]);
        let put =
            PutOptions::new().with_precondition(version).with_expiry(Duration::from_millis(1_500));
        let increment = IncrementOptions::new().with_expiry(Timestamp::from_unix_ms(1));
        let delete = DeleteOptions::new().with_return_value(true);
        let transaction = Transaction::new()
            .check(Key::in_partition("p", "k"), Precondition::Present)
            .op(WriteOp::put("k", "a"));
        for (digest, stored) in [
            (OpDigest::EMPTY.add(b"a"), 0x529a_4ddc_8ff5_6bbf),
            (OpDigest::of_put(b"a", &put), 0x50e7_79c1_c119_2fe2),
            (OpDigest::of_increment(-1, &increment), 0x65ca_9912_415b_b459),
            (OpDigest::of_delete(&delete), 0x0c40_b5c0_4b66_a759),
            (OpDigest::of_transaction(&transaction), 0x971b_0acc_41d6_eb2b),
        ] {
            assert_eq!(digest.get(), stored, "{:#x}", digest.get());
        }
    }
}
