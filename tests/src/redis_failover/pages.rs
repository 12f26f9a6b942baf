//! Pages between which slots move: at each place of a listing, and in every way in which a move can go.

use std::collections::{BTreeMap, BTreeSet};

use libtest_mimic::Failed;
use state_core::{Bytes, HashPageOptions, HashWriteOptions, Key, ListOptions, StateBackend};

use super::listings::{KEYS, fill, partitions, same, spread};
use super::moves::{Moving, move_slot};
use crate::redis_stage::{Stage, open};

/// Keys of a page, so that the scan of a node takes several.
const PAGE_KEYS: usize = 60;
/// Fields of a hash that is too large to be told in one step.
const FIELDS: usize = 600;
/// Fields of a page.
const PAGE_FIELDS: usize = 100;

/// What happens to a slot between two pages, and between two later ones.
#[derive(Clone, Copy, Debug)]
enum Course {
    /// Half of the keys go, and come back.
    GivenUp,
    /// Half of the keys go, then the rest.
    InTwoParts,
    /// All keys go, and come back.
    ThereAndBack,
}

const COURSES: [Course; 3] = [Course::GivenUp, Course::InTwoParts, Course::ThereAndBack];

/// A slot that moves in the course of a listing.
struct Moved<'s> {
    stage: &'s Stage,
    partition: &'s str,
    /// How many primaries on it goes.
    steps: usize,
    course: Course,
    /// Where it is half-way.
    moving: Option<Moving<'s>>,
}

impl Moved<'_> {
    fn first_part(&mut self) -> Result<(), Failed> {
        if matches!(self.course, Course::ThereAndBack) {
            return move_slot(self.stage, self.partition, self.steps);
        }
        let moving = Moving::begin(self.stage, self.partition, self.steps)?;
        moving.some(KEYS / 2)?;
        self.moving = Some(moving);
        Ok(())
    }

    fn second_part(&mut self) -> Result<(), Failed> {
        let Some(moving) = self.moving.take() else {
            let count = self.stage.servers.primaries().len();
            return move_slot(self.stage, self.partition, count - self.steps);
        };
        if matches!(self.course, Course::GivenUp) {
            return moving.give_up();
        }
        while moving.some(KEYS)? {}
        moving.end()
    }
}

/// Every partition's slot goes to every other node, begun behind each page and ended behind each later one.
pub(super) fn keys(stage: &Stage) -> Result<(), Failed> {
    let partitions = partitions(stage)?;
    stage.run(async {
        let store = open(stage.patient()?).await?;
        let keys = fill(&store, &partitions).await?;
        for course in COURSES {
            for partition in &partitions {
                for steps in 1..partitions.len() {
                    let mut begins = 1;
                    let mut ends = 1;
                    loop {
                        let moved = Moved { stage, partition, steps, course, moving: None };
                        let (found, pages) = listed(&store, moved, begins, ends).await?;
                        let what = format!("{course:?}, {partition} by {steps}");
                        same(&format!("{what}, behind pages {begins} and {ends}"), &found, &keys)?;
                        spread(stage, &partitions)?;
                        ends += 1;
                        if ends >= pages {
                            begins += 1;
                            ends = begins;
                        }
                        if begins >= pages {
                            break;
                        }
                    }
                }
            }
        }
        Ok(())
    })
}

/// Lists all keys, while the slot begins to move behind one page and has moved behind another; how many pages that took.
async fn listed(
    store: &dyn StateBackend,
    mut moved: Moved<'_>,
    begins: usize,
    ends: usize,
) -> Result<(BTreeSet<Key>, usize), Failed> {
    let (mut found, mut pages, mut ended) = (BTreeSet::new(), 0, false);
    let mut options = ListOptions::new("").with_limit(PAGE_KEYS);
    loop {
        let page = store.list_page(options.clone()).await?;
        found.extend(page.items.into_iter().map(|item| item.key));
        pages += 1;
        let last = page.next.is_none();
        if pages == begins {
            moved.first_part()?;
        }
        if pages >= begins && !ended && (pages == ends || last) {
            moved.second_part()?;
            ended = true;
        }
        if last {
            return Ok((found, pages));
        }
        options = options.with_token(page.next);
    }
}

/// The slot of a hash moves between any two of its pages.
pub(super) fn fields(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage.patient()?).await?;
        let hashes = store.as_hash().ok_or("no hashes")?;
        let key = Key::in_partition("p", "hash");
        let all: BTreeMap<Bytes, Bytes> =
            (0..FIELDS).map(|n| (format!("field:{n}").into(), n.to_string().into())).collect();
        hashes.hash_set(&key, all.clone().into_iter().collect(), HashWriteOptions::new()).await?;
        let (mut behind, mut pages) = (1, usize::MAX);
        while behind < pages {
            let mut found = BTreeMap::new();
            let mut options = HashPageOptions::new().with_limit(PAGE_FIELDS);
            pages = 0;
            loop {
                let page = hashes.hash_page(&key, options.clone()).await?;
                assert!(page.items.len() <= PAGE_FIELDS, "a page of {}", page.items.len());
                found.extend(page.items);
                pages += 1;
                if page.next.is_none() {
                    break;
                }
                if pages == behind {
                    move_slot(stage, "p", 1)?;
                }
                options = options.with_token(page.next);
            }
            assert_eq!(found.len(), all.len(), "moved behind page {behind} of {pages}");
            assert_eq!(found, all);
            behind += 1;
        }
        Ok(())
    })
}
