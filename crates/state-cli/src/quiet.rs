//! Keeps what the engine of a file store says when it gives up on a damaged page off the screen.

use std::panic;

/// The crate of the engine; its sources lie in a folder of this name, followed by the version.
const ENGINE: &str = "redb";

/// Says nothing about panics in the engine of file stores, in whatever thread: the store catches
/// them and tells them as errors. All others are told as before.
pub(crate) fn silence_engine() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !info.location().is_some_and(|location| is_of_engine(location.file())) {
            before(info);
        }
    }));
}

fn is_of_engine(file: &str) -> bool {
    file.split(['/', '\\']).any(|folder| {
        let version = folder.strip_prefix(ENGINE).and_then(|rest| rest.strip_prefix('-'));
        folder == ENGINE
            || version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_sources_of_the_engine_are_of_the_engine() {
        assert!(is_of_engine("/usr/src/registry/src/index/redb-4.4.0/src/db.rs"));
        assert!(is_of_engine(r"C:\vendor\redb\src\db.rs"));
        assert!(!is_of_engine("crates/state-local/src/file/tables.rs"));
        assert!(!is_of_engine("/usr/src/registry/src/index/redb-derive-1.0.0/src/lib.rs"));
        assert!(!is_of_engine("src/redbreast.rs"));
    }
}
