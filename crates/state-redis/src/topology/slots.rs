//! The slot of a key, as a cluster computes it.

/// How many slots a cluster has.
pub(crate) const SLOTS: u16 = 16_384;

/// The slot of `key`: of what stands between the first `{` and the next `}`, if that is not empty,
/// otherwise of all of it.
pub(crate) fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        let close = rest.iter().position(|byte| *byte == b'}')?;
        rest.get(..close).filter(|tag| !tag.is_empty())
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

/// CRC-16/XMODEM: polynomial 0x1021, start 0.
fn crc16(bytes: &[u8]) -> u16 {
    static TABLE: [u16; 256] = table();
    bytes.iter().fold(0, |crc, byte| {
        let [high, low] = crc.to_be_bytes();
        let step = TABLE.get(usize::from(high ^ byte)).copied().unwrap_or(0);
        u16::from_be_bytes([low, 0]) ^ step
    })
}

#[expect(clippy::indexing_slicing, reason = "evaluated at compile time, within 0..256")]
const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte: u16 = 0;
    while byte < 256 {
        let mut crc = byte << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[byte as usize] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
    }

    /// What `CLUSTER KEYSLOT` of redis-server 7.0 answers.
    #[test]
    fn slots_are_those_that_a_server_computes() {
        let cases: &[(&[u8], u16)] = &[
            (b"", 0),
            (b"a", 15495),
            (b"foo", 12182),
            (b"123456789", 12739),
            (b"{}", 15257),
            (b"{}a", 10875),
            (b"a{b}c", 3300),
            (b"{{b}}", 6215),
            (b"a{b", 13340),
            (b"a}b{c}", 7365),
            (b"foo{}{bar}", 8363),
            (b"foo{bar}{zap}", 5061),
            (b"\0\x01\xff", 11713),
            (b"state:ns:v:{k}", 7629),
            (b"{user1000}.following", 3443),
            (b"k\r\n{t\r\n}", 5086),
            (b"{a}{", 15495),
            (b"}{x}", 16287),
        ];
        for (key, slot) in cases {
            assert_eq!(slot_of(key), *slot, "{}", key.escape_ascii());
        }
    }

    #[test]
    fn keys_with_the_same_tag_share_a_slot() {
        assert_eq!(slot_of(b"a:{user:1}:x"), slot_of(b"b:{user:1}"));
        assert_ne!(slot_of(b"a:{user:1}:x"), slot_of(b"a:{user:2}:x"));
    }
}
