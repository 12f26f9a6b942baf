//! Power cuts of redb through the simulated storage: every acknowledged commit survives, and no commit by halves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use redb::{Builder, Database, Durability, ReadableDatabase, TableDefinition};

use crate::engine::Outcome;
use crate::simulated::handle;
use state_tests::bench::say;
use state_tests::seeded::Seeded;
use state_tests::simulated::Simulated;

/// Keys that each commit sets to its own number.
const KEYS: u32 = 40;
/// Commits of the recorded history.
const COMMITS: u32 = 60;

/// The positive control: commits that are acknowledged without a sync, every third one with.
const CONTROL: &str = "control";

const NUMBERS: TableDefinition<'static, u32, &'static [u8]> = TableDefinition::new("numbers");

/// Cuts the power at random places of a recorded history, `images` times for each kind of commit.
pub(crate) fn run(images: usize) -> Outcome<()> {
    for mode in ["one-phase", "two-phase", "quick-repair", CONTROL] {
        let storage = Arc::new(Simulated::recording());
        let database = Builder::new().create_with_backend(handle(&storage))?;
        // Creation has its own probe; what follows is a store that existed.
        let created = storage.operations();
        let mut acknowledged = vec![(created, 0)];
        for number in 1..=COMMITS {
            commit(&database, mode, number)?;
            acknowledged.push((storage.operations(), number));
        }
        let end = storage.operations();
        // The close of a database is not part of the history: the power is cut while it is open.
        let mut seeded = Seeded::new(8);
        let (mut refused, mut lost, mut torn, mut ahead) = (0, 0, 0, 0);
        for _ in 0..images {
            let place = created + seeded.below(end - created);
            let promised =
                acknowledged.iter().rfind(|each| each.0 <= place).map_or(0, |each| each.1);
            match found(storage.image_after(place, None, &mut seeded)) {
                Err(error) => {
                    refused += 1;
                    if refused <= 3 {
                        say(format_args!("  {mode}: {error}"));
                    }
                }
                Ok(None) => torn += 1,
                Ok(Some(number)) if number < promised => lost += 1,
                Ok(Some(number)) => ahead += usize::from(number > promised),
            }
        }
        drop(database);
        if (mode == CONTROL) != (lost > 0) {
            return Err(
                format!("power cuts, {mode}: {lost} images lost an acknowledged commit").into()
            );
        }
        say(format_args!(
            "redb power cuts, {mode}: {images} images, {refused} refused, {lost} lost an acknowledged commit, \
             {torn} held a commit by halves, {ahead} held one not yet acknowledged"
        ));
    }
    Ok(())
}

pub(crate) fn commit(database: &Database, mode: &str, number: u32) -> Outcome<()> {
    let mut transaction = database.begin_write()?;
    match mode {
        "two-phase" => transaction.set_two_phase_commit(true),
        "quick-repair" => transaction.set_quick_repair(true),
        CONTROL if !number.is_multiple_of(3) => transaction.set_durability(Durability::None)?,
        _ => {}
    }
    {
        let mut table = transaction.open_table(NUMBERS)?;
        // Growing values make the file grow too.
        let value = number.to_le_bytes().repeat(64 + usize::try_from(number)? * 16);
        for key in 0..KEYS {
            table.insert(key, value.as_slice())?;
        }
    }
    Ok(transaction.commit()?)
}

/// The number of the commit that the image holds; `None` if it holds parts of several.
pub(crate) fn found(image: Vec<u8>) -> Outcome<Option<u32>> {
    let database =
        Builder::new().create_with_backend(handle(&Arc::new(Simulated::holding(image))))?;
    let transaction = database.begin_read()?;
    let table = match transaction.open_table(NUMBERS) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Some(0)),
        other => other?,
    };
    let mut numbers = Vec::new();
    for key in 0..KEYS {
        let value = table.get_owned(key)?.ok_or("a key is missing")?;
        let first = value.value().first_chunk::<4>().copied().ok_or("a short value")?;
        let whole = value.value().chunks(4).all(|chunk| chunk == first);
        numbers.push(whole.then(|| u32::from_le_bytes(first)));
    }
    numbers.dedup();
    Ok(match numbers.as_slice() {
        [Some(number)] => Some(*number),
        _ => None,
    })
}

/// Flips one bit of a store that was closed, or that was not, and says whether anybody notices.
pub(crate) fn flipped_bits(trials: usize) -> Outcome<()> {
    // The probe counts panics itself.
    std::panic::set_hook(Box::new(|_| {}));
    let cases =
        [("one-phase", true), ("one-phase", false), ("two-phase", false), ("quick-repair", false)];
    for (mode, closed) in cases {
        let storage = Arc::new(Simulated::recording());
        let database = Builder::new().create_with_backend(handle(&storage))?;
        for number in 1..=COMMITS {
            commit(&database, mode, number)?;
        }
        let open = storage.operations();
        drop(database);
        let place = if closed { storage.operations() } else { open };
        let whole = storage.image_of(place);
        let mut seeded = Seeded::new(9);
        let mut seen = Damage::default();
        for _ in 0..trials {
            let mut image = whole.clone();
            let at = seeded.below(image.len());
            if let Some(byte) = image.get_mut(at) {
                *byte ^= 1 << seeded.below(8);
            }
            seen.count(&image);
        }
        let how = if closed { "a clean close" } else { "an unclean end" };
        say(format_args!("redb {mode}, one flipped bit after {how}, {trials} trials: {seen:?}"));
    }
    Ok(())
}

/// What became of damaged stores.
#[derive(Debug, Default)]
struct Damage {
    /// Opened with every record as it was.
    harmless: usize,
    /// Refused with an error, when opened or when read.
    refused: usize,
    /// Opened with the records of an earlier commit.
    earlier: usize,
    /// Returned other bytes than were written.
    wrong: usize,
    /// Of those, found by the integrity check.
    wrong_but_checked: usize,
    /// Panicked when opened, read or closed.
    panicked: usize,
}

impl Damage {
    fn count(&mut self, image: &[u8]) {
        let result = catch_unwind(AssertUnwindSafe(|| found(image.to_vec())));
        match result {
            Err(_) => self.panicked += 1,
            Ok(Err(_)) => self.refused += 1,
            Ok(Ok(Some(COMMITS))) => self.harmless += 1,
            Ok(Ok(Some(_))) => self.earlier += 1,
            Ok(Ok(None)) => {
                self.wrong += 1;
                let checked = catch_unwind(AssertUnwindSafe(|| noticed(image.to_vec())));
                self.wrong_but_checked += usize::from(!matches!(checked, Ok(Ok(false))));
            }
        }
    }
}

/// Whether the integrity check finds the damage.
fn noticed(image: Vec<u8>) -> Outcome<bool> {
    let storage = Arc::new(Simulated::holding(image));
    let mut database = Builder::new().create_with_backend(handle(&storage))?;
    Ok(!matches!(database.check_integrity(), Ok(true)))
}
