//! What both demonstrations say last: what was seen, and how to look into the store.

use super::place::Place;
use crate::failure::Failure;
use crate::output::Output;

/// Says what was seen, and, unless the store is removed, the commands that look into it.
pub(super) fn say(
    what_you_saw: &str,
    looks: Option<&[String]>,
    place: &Place,
    output: &Output,
) -> Result<(), Failure> {
    output.line("")?;
    output.prose(what_you_saw)?;
    let Some(looks) = looks else { return Ok(()) };
    output.prose(if place.hides_a_password() {
        "\nLook into the store (the URL lacks its password here: keep it in STATE_STORE):"
    } else {
        "\nLook into the store:"
    })?;
    place.commands(looks).iter().try_for_each(|look| output.line(format_args!("  {look}")))
}
