//! Progress on standard error, only where it is a terminal.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// A bar over `total` bytes; invisible when there is nobody to look at it.
pub(crate) fn bytes(output: &Output, what: &'static str, total: u64) -> ProgressBar {
    styled(
        output,
        ProgressBar::new(total),
        what,
        "{msg} [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
    )
}

/// A bar over about `total` records.
pub(crate) fn records(output: &Output, what: &'static str, total: u64) -> ProgressBar {
    styled(
        output,
        ProgressBar::new(total),
        what,
        "{msg} [{wide_bar}] {human_pos}/{human_len} records {per_sec} {eta}",
    )
}

/// A count of what has no known end.
pub(crate) fn count(output: &Output, what: &'static str) -> ProgressBar {
    styled(output, ProgressBar::no_length(), what, "{msg} {human_pos} {per_sec}")
}

/// A count of bytes of which nobody knows how many come.
pub(crate) fn received(output: &Output, what: &'static str) -> ProgressBar {
    styled(output, ProgressBar::no_length(), what, "{msg} {bytes} {bytes_per_sec}")
}

/// How long something has taken that cannot say how far it is.
pub(crate) fn waiting(output: &Output, what: &'static str) -> ProgressBar {
    styled(output, ProgressBar::no_length(), what, "{spinner} {msg} {elapsed}")
}

fn styled(
    output: &Output,
    bar: ProgressBar,
    what: &'static str,
    template: &'static str,
) -> ProgressBar {
    if output.quiet || output.json || !stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
        return bar;
    }
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
