//! Page tokens: where a listing goes on, checked so that a forged one is refused.

use state_core::{Error, PageToken, Result};

use crate::digest::hash;

/// What the checksum of a token is seeded with.
const SEED: u64 = 0x746f_6b65_6e31;

/// A token of the listing `listing` that goes on at `position`.
pub(crate) fn seal(listing: u64, position: &[u8]) -> PageToken {
    let mut bytes = hash(SEED ^ listing, position).to_le_bytes().to_vec();
    bytes.extend_from_slice(position);
    PageToken::from_bytes(bytes)
}

/// The position in a token of the listing `listing`.
///
/// # Errors
/// `Invalid` for a token of another listing, and for none at all.
pub(crate) fn open(listing: u64, token: &PageToken) -> Result<&[u8]> {
    let forged = || Error::invalid("the page token was not made for this listing");
    let (checksum, position) = token.as_bytes().split_first_chunk::<8>().ok_or_else(forged)?;
    if hash(SEED ^ listing, position) == u64::from_le_bytes(*checksum) {
        Ok(position)
    } else {
        Err(forged())
    }
}
