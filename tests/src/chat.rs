//! Text for tests and benchmarks that cost space.

/// Text that shrinks about as chat does: words out of a vocabulary, in no order.
pub fn text(seed: u64, bytes: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::new();
    while text.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let word = state % 4_096;
        for digit in [word & 15, word >> 4 & 15, word >> 8] {
            text.push(char::from(b'a' + u8::try_from(digit).unwrap_or(0)));
        }
        text.push(' ');
    }
    text.truncate(bytes);
    text
}
