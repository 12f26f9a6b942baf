//! The file of a store that is being created, under a name that nobody else uses.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use state_core::OwnerId;

/// What such names begin with; hidden where files with a dot are.
const BEGINNING: &str = ".state-";
const END: &str = ".unfinished";
/// Hexadecimal digits of the random part and of its checksum.
const DIGITS: usize = 32 + 8;

/// A new file in `folder` that nobody can have had before, with its path.
pub(super) fn create_in(folder: &Path) -> io::Result<(File, PathBuf)> {
    let path = folder.join(name(OwnerId::random().as_bytes()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    Ok((file, path))
}

/// Removes what creations left in `folder` that a crash has ended. Only for who holds the lock of
/// the folder, under which they are made: no living one is there then.
///
/// What cannot be looked at or removed stays: it takes room and does no harm.
pub(super) fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|entry| is_ours(&entry.file_name())) {
        // A folder with such a name is none of ours.
        if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        match fs::remove_file(entry.path()) {
            Ok(()) => tracing::info!(path = %entry.path().display(), "an unfinished store is gone"),
            Err(error) => tracing::debug!(%error, "an unfinished store cannot be removed"),
        }
    }
}

fn name(random: &[u8; 16]) -> String {
    let (number, sum) = (u128::from_be_bytes(*random), sum(random));
    format!("{BEGINNING}{number:032x}{sum:08x}{END}")
}

/// Whether a name was made by [`name`]: nobody arrives at one by chance, or by putting something
/// behind the name of a store.
fn is_ours(found: &OsStr) -> bool {
    let digits = found.to_str().and_then(|name| name.strip_prefix(BEGINNING)?.strip_suffix(END));
    let Some((number, sum_found)) = digits
        .filter(|digits| digits.len() == DIGITS)
        .and_then(|digits| digits.split_at_checked(DIGITS - 8))
    else {
        return false;
    };
    match (u128::from_str_radix(number, 16), u32::from_str_radix(sum_found, 16)) {
        (Ok(number), Ok(sum_found)) => sum(&number.to_be_bytes()) == sum_found,
        _ => false,
    }
}

fn sum(random: &[u8; 16]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(b"the unfinished file of a state store"), random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_were_made_here_are_known() {
        let made = name(&[7; 16]);
        assert!(is_ours(OsStr::new(&made)));
        let other_digit = made.replacen('7', "8", 1);
        for other in [
            other_digit.as_str(),
            ".state-.unfinished",
            ".state-0000000000000000000000000000000000000000.unfinished",
            "store.new",
            "store",
            made.trim_start_matches('.'),
            &format!("{made}.unfinished"),
        ] {
            assert!(!is_ours(OsStr::new(other)), "{other}");
        }
    }

    #[test]
    fn sweeping_takes_what_was_made_here_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (_, left) = create_in(folder.path()).unwrap();
        let kept = [".state-1.unfinished", "store.new", "store"];
        for name in kept {
            fs::write(at(name), "precious").unwrap();
        }
        let folder_of_that_name = at(&name(&[9; 16]));
        fs::create_dir(&folder_of_that_name).unwrap();
        sweep(folder.path());
        assert!(!left.exists());
        assert!(folder_of_that_name.exists());
        for name in kept {
            assert_eq!(fs::read(at(name)).unwrap(), b"precious", "{name}");
        }
    }
}
