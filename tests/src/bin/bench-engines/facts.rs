//! What each engine does when something goes wrong, shown by doing it: `--facts`.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use redb::{Builder, Database, ReadableDatabase};

use crate::engine::{Contender, Engine, Outcome};
use crate::power_cut;
use crate::redb_engine::{self, RECORDS};
use crate::simulated::handle;
use crate::speed::store_folder;
use crate::workload;
use state_tests::bench::say;
use state_tests::seeded::Seeded;
use state_tests::simulated::{Call, Fault, Simulated};

/// Runs every probe and prints what was seen.
pub(crate) fn run(folder: &Path) -> Outcome<()> {
    for contender in [Contender::Redb, Contender::Fjall] {
        second_opening(contender, folder)?;
        truncated(contender, folder)?;
        foreign(contender, folder)?;
        limited_file_size(contender, folder)?;
    }
    interrupted_creation()?;
    for call in [Call::Write, Call::Sync, Call::Read] {
        failed_commit(call)?;
    }
    fjall_damaged_journal(folder)?;
    power_cut::flipped_bits(2_000)?;
    power_cut::run(2_000)
}

fn state(result: Outcome<Box<dyn Engine>>) -> String {
    match result {
        Ok(_) => "opens".to_owned(),
        Err(error) => format!("error: {error}"),
    }
}

/// Opens a damaged store: the error, or how much of what was acknowledged it still has.
fn outcome(contender: Contender, store: &Path, count: usize) -> Outcome<String> {
    Ok(match contender.open(store) {
        Ok(engine) => format!(
            "opens, {} of {count} acknowledged records left",
            present(engine.as_ref(), count)?
        ),
        Err(error) => format!("error: {error}"),
    })
}

fn filled(contender: Contender, folder: &Path, what: &str, count: usize) -> Outcome<PathBuf> {
    let store = store_folder(folder, contender, what)?;
    let engine = contender.open(&store)?;
    let mut seeded = Seeded::new(4);
    for pair in workload::pairs(&mut seeded, 0, count, 1_024) {
        engine.commit(&[pair])?;
    }
    Ok(store)
}

fn present(engine: &dyn Engine, count: usize) -> Outcome<usize> {
    let mut present = 0;
    for index in 0..count {
        present += usize::from(engine.get(&workload::key(index))?.is_some());
    }
    Ok(present)
}

fn second_opening(contender: Contender, folder: &Path) -> Outcome<()> {
    let store = filled(contender, folder, "second", 10)?;
    let first = contender.open(&store)?;
    let same = state(contender.open(&store));
    let other = Command::new(std::env::current_exe()?)
        .args(["--open", contender.name()])
        .arg(&store)
        .output()?;
    drop(first);
    say(format_args!(
        "second opening, {}: same process {same}; other process {}; after the first closed {}",
        contender.name(),
        String::from_utf8_lossy(&other.stdout).trim(),
        state(contender.open(&store))
    ));
    Ok(())
}

/// Opens the store and prints what came of it: the other process of [`second_opening`].
pub(crate) fn open_and_say(contender: Contender, store: &Path) {
    say(state(contender.open(store)));
}

fn largest_file(store: &Path) -> Outcome<PathBuf> {
    let mut largest = (0, store.to_owned());
    let mut folders = vec![store.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if metadata.len() >= largest.0 {
                largest = (metadata.len(), entry.path());
            }
        }
    }
    Ok(largest.1)
}

fn truncated(contender: Contender, folder: &Path) -> Outcome<()> {
    // Only journals exist until tables are written, so the largest file is what a commit went to.
    let store = filled(contender, folder, "truncated", 300)?;
    let path = largest_file(&store)?;
    let file = OpenOptions::new().write(true).open(&path)?;
    let cut = if contender == Contender::Redb { file.metadata()?.len() / 2 } else { 150_000 };
    file.set_len(cut)?;
    say(format_args!(
        "data file cut in the middle, {}: {}",
        contender.name(),
        outcome(contender, &store, 300)?
    ));
    Ok(())
}

fn foreign(contender: Contender, folder: &Path) -> Outcome<()> {
    let store = filled(contender, folder, "foreign", 300)?;
    std::fs::write(largest_file(&store)?, "not a store\n".repeat(1_000))?;
    say(format_args!(
        "data file replaced by text, {}: {}",
        contender.name(),
        outcome(contender, &store, 300)?
    ));
    Ok(())
}

/// A full disk, as a limit on file sizes that needs no privileges: the shell ignores the signal, so that writes fail.
fn limited_file_size(contender: Contender, folder: &Path) -> Outcome<()> {
    let store = filled(contender, folder, "full", 10)?;
    let output = Command::new("bash")
        .arg("-c")
        .arg("trap '' XFSZ; ulimit -f 3000; exec \"$0\" --fill \"$1\" \"$2\"")
        .arg(std::env::current_exe()?)
        .arg(contender.name())
        .arg(&store)
        .output()?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    say(format_args!("no space, {}: {}", contender.name(), told.trim().replace('\n', "; ")));
    let acknowledged = told
        .split("acknowledged ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse::<usize>().ok())
        .ok_or("the filling child did not say how far it came")?;
    let engine = contender.open(&store)?;
    say(format_args!(
        "  reopened with space: {} of {acknowledged} acknowledged records there",
        present(engine.as_ref(), acknowledged)?
    ));
    Ok(())
}

/// Writes until an error, then tries once more each way: the child of [`limited_file_size`].
pub(crate) fn fill_until_error(contender: Contender, store: &Path) -> Outcome<()> {
    let engine = contender.open(store)?;
    let mut seeded = Seeded::new(5);
    for index in 0..200_000 {
        if let Err(error) = engine.commit(&workload::pairs(&mut seeded, index, 1, 1_024)) {
            let again = engine.commit(&workload::pairs(&mut seeded, index, 1, 1_024));
            let read = engine.get(&workload::key(0)).map(|value| value.is_some());
            say(format_args!("acknowledged {index} then error: {error}"));
            say(format_args!("next commit {again:?}"));
            say(format_args!("read {read:?}"));
            return Ok(());
        }
    }
    say("acknowledged 200000 without an error");
    Ok(())
}

/// A crash while a new file is made: every length the file has before its magic number is written.
fn interrupted_creation() -> Outcome<()> {
    let storage = Arc::new(Simulated::recording());
    drop(Builder::new().create_with_backend(handle(&storage))?);
    let mut refused = 0;
    let images = storage.operations();
    for operations in 1..=images {
        let image = storage.image_of(operations);
        let again = Arc::new(Simulated::holding(image.clone()));
        if let Err(error) = Builder::new().create_with_backend(handle(&again)) {
            refused += 1;
            say(format_args!("  image of {} bytes: {error}", image.len()));
        }
    }
    say(format_args!(
        "redb, crash at each operation of a creation: {refused} of {images} images refused"
    ));
    Ok(())
}

fn failed_commit(call: Call) -> Outcome<()> {
    let storage = Arc::new(Simulated::recording());
    let database = Builder::new().set_cache_size(0).create_with_backend(handle(&storage))?;
    let mut seeded = Seeded::new(6);
    let put = |database: &Database, pairs: &[crate::engine::Pair]| -> Outcome<()> {
        let transaction = database.begin_write()?;
        redb_engine::insert(&transaction, pairs)?;
        Ok(transaction.commit()?)
    };
    put(&database, &workload::pairs(&mut seeded, 0, 200, 1_024))?;
    let before = database.begin_read()?;
    let kind = std::io::ErrorKind::StorageFull;
    storage.set_fault(Some(Fault::of_next(call, kind)));
    let second = workload::pairs(&mut seeded, 200, 1, 1_024);
    let failed = put(&database, &second);
    let again = put(&database, &second);
    let read = database.begin_read().map(|transaction| transaction.open_table(RECORDS).map(|_| ()));
    let old = before.open_table(RECORDS).map(|_| ());
    say(format_args!(
        "redb, one failing {call:?}: that commit {}; next commit {}; new read {read:?}; older read {old:?}",
        told(&failed),
        told(&again)
    ));
    drop(before);
    drop(database);
    let database = Builder::new().create_with_backend(handle(&storage))?;
    let table = database.begin_read()?.open_table(RECORDS)?;
    let earlier = table.get_owned(workload::key(0).as_slice())?.is_some();
    let later = table.get_owned(workload::key(200).as_slice())?.is_some();
    drop(table);
    say(format_args!(
        "  reopened in the same process: acknowledged record there: {earlier}, failed commit there: {later}, next commit {}",
        told(&put(&database, &second))
    ));
    Ok(())
}

fn told(result: &Outcome<()>) -> String {
    match result {
        Ok(()) => "ok".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

/// Damages a journal as a reordering disk or a flipped bit would, and opens the store again.
fn fjall_damaged_journal(folder: &Path) -> Outcome<()> {
    for contender in [Contender::Fjall, Contender::FjallPlain] {
        for last in [true, false] {
            let store = filled_in_batches(contender, folder, if last { "last" } else { "middle" })?;
            let path = largest_file(&store)?;
            let bytes = std::fs::read(&path)?;
            let end = bytes.iter().rposition(|byte| *byte != 0).ok_or("an empty journal")?;
            let file = OpenOptions::new().write(true).open(&path)?;
            // A sector in the middle of the last batch that never reached the disk while later ones did; or one
            // flipped bit in each byte before the key of a batch in the middle.
            let (at, damage) = if last {
                ((end - 6_000) / 512 * 512, vec![0; 512])
            } else {
                let key = bytes.windows(12).position(|window| window == b"order:000176");
                let at =
                    key.and_then(|key| key.checked_sub(24)).ok_or("no such key in the journal")?;
                let header = bytes.get(at..at + 16).ok_or("no header before the key")?;
                (at, header.iter().map(|byte| byte ^ 0x80).collect())
            };
            file.write_all_at(&damage, u64::try_from(at)?)?;
            let place = if last {
                "a lost sector inside the last batch"
            } else {
                "a damaged header in the middle"
            };
            say(format_args!(
                "{} journal, {place}: {}",
                contender.name(),
                outcome(contender, &store, 320)?
            ));
        }
    }
    Ok(())
}

fn filled_in_batches(contender: Contender, folder: &Path, what: &str) -> Outcome<PathBuf> {
    let store = store_folder(folder, contender, &format!("damage-{what}"))?;
    let engine = contender.open(&store)?;
    let mut seeded = Seeded::new(7);
    for batch in 0..20 {
        engine.commit(&workload::pairs(&mut seeded, batch * 16, 16, 1_024))?;
    }
    Ok(store)
}
