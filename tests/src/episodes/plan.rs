//! What happens in an episode, drawn from its seed alone: any part of it can be left out.

use std::io;
use std::time::Duration;

use state_local::CommitMode;

use crate::seeded::Seeded;
use crate::simulated::{Call, Fault};

const CLIENTS_MAX: usize = 5;
pub(super) const KEYS: usize = 3;
pub(super) const LEASES: usize = 2;
/// Calls whose answer is lost on purpose: each makes judging an episode longer.
const LOST_MAX: usize = 3;

/// The store of an episode.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    Memory,
    /// On a simulated storage. Writes of several clients share commits, and the store is opened
    /// anew when none is under way.
    FileShared(CommitMode),
    /// On a simulated storage that fails, and loses its power in the middle of commits.
    FileFailing(CommitMode),
}

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    /// A client begins a call; one that it has begun before is waited for.
    Begin { client: usize, plan: Plan, fate: Fate },
    /// The call of a client goes on by so many steps.
    Go { client: usize, steps: usize },
    /// The clock goes on.
    Pass(Duration),
    /// The store is closed and opened again.
    Reopen,
    /// The power is cut while nothing is written.
    PowerCut,
    /// The storage fails from now on.
    Fail(Fault),
    /// The storage works again.
    Mend,
}

/// What becomes of a call between the client and the store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    /// Steps before it reaches the store, and before its answer reaches the client.
    pub(super) before: usize,
    pub(super) after: usize,
    pub(super) end: End,
}

/// How a call ends for its client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    Answered,
    /// It never reaches the store, and the client is told so.
    Refused,
    /// The store makes it, and the answer is lost.
    Lost,
    /// The client drops it after so many steps in the store.
    Dropped(usize),
    /// The power is cut while the store makes it.
    PowerCut,
}

/// A call as it is planned; what it names depends on what clients know by then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) kind: Kind,
    pub(super) keys: [usize; 2],
    pub(super) wanted: [Wanted; 2],
    pub(super) life: Life,
    pub(super) lease: usize,
    /// Unlike that of every other call.
    pub(super) number: u64,
    pub(super) amount: i64,
    pub(super) guard: Guard,
    /// Whether a token, or a version, from before is named instead of the last one.
    pub(super) is_stale: bool,
    pub(super) flag: bool,
}

/// What is called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Get,
    GetMany,
    Put,
    Delete,
    Increment,
    Touch,
    Batch,
    Transact,
    Acquire,
    Renew,
    Release,
    ReadLease,
    /// The last call with an operation id that the client has made, again.
    Resend,
}

/// What a call is made under. The contract does not say which of the two is looked at first, so
/// no call has both.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Guard {
    Nothing,
    OperationId,
    Fence,
}

/// A precondition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    Nothing,
    Absent,
    Present,
    /// The version that was seen last.
    Last,
    /// One that was seen before that.
    Earlier,
}

/// A lifetime.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Life {
    Unnamed,
    Never,
    Keep,
    After(Duration),
}

/// An episode.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) place: Place,
    pub(super) clients: usize,
    pub(super) instances: usize,
    pub(super) turns: Vec<Turn>,
}

impl Script {
    /// The episode of this seed.
    pub(super) fn of(seed: u64, place: Option<Place>) -> Self {
        let mut draw = Draw { seeded: Seeded::new(seed), lost: 0, number: 100 };
        let drawn = draw.place();
        let place = place.unwrap_or(drawn);
        let clients = 2 + draw.below(CLIENTS_MAX - 1);
        let instances = 2 + draw.below(2);
        let turns = 30 + draw.below(50);
        let turns = (0..turns).map(|_| draw.turn(place, clients)).collect();
        Self { place, clients, instances, turns }
    }
}

struct Draw {
    seeded: Seeded,
    lost: usize,
    number: u64,
}

impl Draw {
    fn below(&mut self, limit: usize) -> usize {
        self.seeded.below(limit)
    }

    /// Whether a thing happens that happens so many times in a hundred.
    fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, weighted: &[(usize, T)], usual: T) -> T {
        let mut at = self.below(weighted.iter().map(|(weight, _)| weight).sum());
        for (weight, item) in weighted {
            if at < *weight {
                return *item;
            }
            at -= weight;
        }
        usual
    }

    fn place(&mut self) -> Place {
        let modes = [CommitMode::OnePhase, CommitMode::TwoPhase, CommitMode::QuickRepair];
        let mode = self.pick(&modes.map(|mode| (1, mode)), CommitMode::OnePhase);
        let places =
            [(6, Place::Memory), (1, Place::FileShared(mode)), (2, Place::FileFailing(mode))];
        self.pick(&places, Place::Memory)
    }

    fn turn(&mut self, place: Place, clients: usize) -> Turn {
        let client = self.below(clients);
        match self.below(100) {
            0..=47 => {
                let fate = self.fate(place);
                Turn::Begin { client, plan: self.plan(), fate }
            }
            48..=84 => {
                let steps = self.pick(&[(4, 1), (2, 2), (2, 20), (1, 70), (1, 400)], 1);
                Turn::Go { client, steps }
            }
            85..=95 => Turn::Pass(self.pause()),
            _ => self.turn_of_store(place),
        }
    }

    fn turn_of_store(&mut self, place: Place) -> Turn {
        match (place, self.below(6)) {
            (Place::Memory, _) => Turn::Pass(self.pause()),
            (_, 0..=1) => Turn::Reopen,
            (_, 2) | (Place::FileShared(_), _) => Turn::PowerCut,
            (Place::FileFailing(_), 3) => Turn::Mend,
            (Place::FileFailing(_), _) => {
                let calls = [Call::Read, Call::Write, Call::SetLen, Call::Sync];
                let call = self.pick(&calls.map(|call| (1, call)), Call::Sync);
                let kinds = [io::ErrorKind::Other, io::ErrorKind::StorageFull];
                let kind = self.pick(&kinds.map(|kind| (1, kind)), io::ErrorKind::Other);
                let fault = Fault::of_next(call, kind).after(self.below(12));
                Turn::Fail(fault.lasting(self.percent(30)))
            }
        }
    }

    /// Less and more than most lifetimes; now and then more than operations are remembered for.
    fn pause(&mut self) -> Duration {
        let most = self.pick(&[(6, 1_000), (6, 4_000), (1, 90_000), (1, 400_000)], 1_000);
        Duration::from_millis(1 + self.below(most) as u64)
    }

    fn fate(&mut self, place: Place) -> Fate {
        let mut end = End::Answered;
        if self.percent(10) {
            let cut = if matches!(place, Place::FileFailing(_)) { 6 } else { 0 };
            let dropped = End::Dropped(self.pick(&[(2, 0), (2, 1), (1, 5), (1, 50)], 1));
            end = self.pick(
                &[(2, End::Refused), (4, End::Lost), (3, dropped), (cut, End::PowerCut)],
                End::Lost,
            );
            if end != End::Refused && end != End::PowerCut {
                self.lost += 1;
                end = if self.lost > LOST_MAX { End::Answered } else { end };
            }
        }
        Fate { before: self.below(3), after: self.below(3), end }
    }

    fn plan(&mut self) -> Plan {
        const KINDS: [(usize, Kind); 13] = [
            (9, Kind::Get),
            (2, Kind::GetMany),
            (10, Kind::Put),
            (6, Kind::Delete),
            (8, Kind::Increment),
            (4, Kind::Touch),
            (5, Kind::Batch),
            (6, Kind::Transact),
            (9, Kind::Acquire),
            (3, Kind::Renew),
            (4, Kind::Release),
            (2, Kind::ReadLease),
            (4, Kind::Resend),
        ];
        self.number += 10;
        Plan {
            kind: self.pick(&KINDS, Kind::Get),
            keys: self.keys(),
            wanted: [self.wanted(), self.wanted()],
            life: self.life(),
            lease: self.pick(&[(5, 0), (1, 1)], 0),
            number: self.number,
            amount: i64::try_from(self.below(9)).unwrap_or(0) - 3,
            guard: self.pick(
                &[(3, Guard::Nothing), (3, Guard::OperationId), (4, Guard::Fence)],
                Guard::Nothing,
            ),
            is_stale: self.percent(35),
            flag: self.percent(50),
        }
    }

    /// Two keys, of which the first is most often the same one.
    fn keys(&mut self) -> [usize; 2] {
        let first = self.pick(&[(4, 0), (2, 1), (1, 2)], 0);
        [first, (first + 1 + self.below(KEYS - 1)) % KEYS]
    }

    fn wanted(&mut self) -> Wanted {
        let all = [
            (8, Wanted::Nothing),
            (2, Wanted::Absent),
            (1, Wanted::Present),
            (5, Wanted::Last),
            (2, Wanted::Earlier),
        ];
        self.pick(&all, Wanted::Nothing)
    }

    fn life(&mut self) -> Life {
        let after = Life::After(Duration::from_millis(1 + self.below(5_000) as u64));
        self.pick(&[(4, Life::Unnamed), (1, Life::Never), (2, Life::Keep), (5, after)], after)
    }
}
