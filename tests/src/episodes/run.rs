//! Carries a script out, step by step, on one thread.

use futures_util::future::BoxFuture;

use state_core::{GetOptions, Result, Timestamp};

use super::Subject;
use super::board::{Board, keys};
use super::call::{Reply, Request};
use super::history::{Called, Ended, History, What};
use super::plan::{End, Fate, Plan, Script, Turn};
use super::stage::Stage;
use super::waiting::poll_once;

/// How often a store that has failed may still fail when its storage works again.
const RECOVERY_CALLS: usize = 3;
/// What no call of any store needs.
const STEPS_MAX: usize = 100_000;

/// What came of a script.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) history: History,
    /// When it began.
    pub(super) start: Timestamp,
    pub(super) may_fail: bool,
    /// Why it could not be carried out to its end.
    pub(super) broken: Option<String>,
}

/// Carries `script` out.
pub(super) fn play(subject: Subject, script: &Script, seed: u64) -> Result<Played> {
    let stage = Stage::open(subject, script, seed)?;
    let start = stage.now();
    let under_way = (0..script.clients).map(|_| None).collect();
    let (board, history) = (Board::default(), History::default());
    let mut player = Player { stage, board, history, under_way };
    let ended = script.turns.iter().try_for_each(|turn| player.turn(turn));
    let broken = ended.and_then(|()| player.end()).err().map(|error| error.to_string());
    Ok(Played { may_fail: player.stage.may_fail(), history: player.history, start, broken })
}

struct Player {
    stage: Stage,
    board: Board,
    history: History,
    under_way: Vec<Option<UnderWay>>,
}

/// A call that a client has begun.
struct UnderWay {
    client: usize,
    /// Its place in the history.
    place: usize,
    request: Request,
    before: usize,
    after: usize,
    end: End,
    inside: Inside,
}

/// How far a call is in the store.
enum Inside {
    Not,
    Begun(BoxFuture<'static, Vec<Reply>>, usize),
    Done(Vec<Reply>),
}

impl Player {
    fn turn(&mut self, turn: &Turn) -> Result<()> {
        match turn {
            Turn::Begin { client, plan, fate } => self.begin(*client, plan, *fate),
            Turn::Go { client, steps } => {
                for _ in 0..*steps {
                    self.step(*client)?;
                }
                Ok(())
            }
            Turn::Pass(by) => {
                self.come_to_rest();
                self.stage.pass(*by);
                self.history.add(What::Passed(*by));
                // A pass is over before anything else begins.
                self.history.tick();
                Ok(())
            }
            Turn::Reopen => {
                self.come_to_rest();
                self.note("closed and opened");
                self.stage.reopen()
            }
            Turn::PowerCut => {
                self.come_to_rest();
                self.note("power cut");
                self.stage.cut_power(self.stage.operations())
            }
            Turn::Fail(fault) => {
                self.come_to_rest();
                self.note(&format!("{fault:?}"));
                self.stage.fail(Some(*fault));
                Ok(())
            }
            Turn::Mend => {
                self.come_to_rest();
                self.note("the storage works again");
                self.stage.fail(None);
                Ok(())
            }
        }
    }

    fn note(&mut self, what: &str) {
        self.history.add(What::Note(what.to_owned()));
    }

    fn begin(&mut self, client: usize, plan: &Plan, fate: Fate) -> Result<()> {
        self.finish(client)?;
        let request = self.board.request(client, plan);
        self.begin_request(client, request, fate);
        self.step(client)
    }

    fn begin_request(&mut self, client: usize, request: Request, fate: Fate) {
        let called = Called { client, request: request.clone(), end: Ended::Not };
        let place = self.history.add(What::Call(Box::new(called)));
        let Fate { before, after, end } = fate;
        let call = UnderWay { client, place, request, before, after, end, inside: Inside::Not };
        if let Some(slot) = self.under_way.get_mut(client) {
            *slot = Some(call);
        }
    }

    /// Lets the call of a client go on to its end.
    fn finish(&mut self, client: usize) -> Result<()> {
        for _ in 0..STEPS_MAX {
            if self.under_way.get(client).is_none_or(Option::is_none) {
                return Ok(());
            }
            self.step(client)?;
        }
        Err(state_core::Error::invalid("a call does not come to an end"))
    }

    /// Lets the call of a client go on by one step.
    fn step(&mut self, client: usize) -> Result<()> {
        let Some(mut call) = self.under_way.get_mut(client).and_then(Option::take) else {
            return Ok(());
        };
        if call.before > 0 {
            call.before -= 1;
        } else if call.end == End::Refused {
            self.history.end(call.place, |_| Ended::Refused);
            return Ok(());
        } else if let Inside::Done(replies) = call.inside {
            if call.after == 0 {
                self.deliver(client, call.place, &call.request, call.end, replies);
                return Ok(());
            }
            call.after -= 1;
            call.inside = Inside::Done(replies);
        } else if call.end == End::PowerCut && self.stage.works_in_background() {
            return self.cut(&call);
        } else {
            let Some(gone_on) = self.go_on(call) else { return Ok(()) };
            call = gone_on;
        }
        if let Some(slot) = self.under_way.get_mut(client) {
            *slot = Some(call);
        }
        Ok(())
    }

    /// Lets a call go on in the store; `None` when its client drops it.
    fn go_on(&mut self, mut call: UnderWay) -> Option<UnderWay> {
        let (mut future, steps) = match call.inside {
            Inside::Not => (self.made(call.client, &call.request)?, 0),
            Inside::Begun(future, steps) => (future, steps),
            Inside::Done(_) => return Some(call),
        };
        if call.request.is_read() {
            // What is read while writes are on their way is a matter of chance.
            self.come_to_rest();
        }
        let in_background = self.stage.works_in_background();
        if let End::Dropped(after) = call.end
            && (steps >= after || in_background)
        {
            if in_background && after > 0 {
                // Now it is on its way.
                drop(poll_once(future.as_mut()));
            }
            drop(future);
            self.stage.wait_for_writes();
            self.history.end(call.place, |_| Ended::Lost("dropped"));
            return None;
        }
        let gone = self.stage.go_on(&mut future, steps > 0);
        if gone.is_some() && steps == 0 {
            // How soon a thread in the background answers is a matter of chance: no sooner than now.
            call.after += usize::from(in_background);
        }
        call.inside = gone.map_or_else(|| Inside::Begun(future, steps + 1), Inside::Done);
        Some(call)
    }

    /// A call in the store that is open now.
    fn made(&self, client: usize, request: &Request) -> Option<BoxFuture<'static, Vec<Reply>>> {
        let store = self.stage.store(client)?;
        Some(Box::pin(request.clone().make(store)))
    }

    /// Makes a call, and cuts the power at some moment of it.
    fn cut(&mut self, call: &UnderWay) -> Result<()> {
        self.come_to_rest();
        let before = self.stage.operations();
        if let Some(mut future) = self.made(call.client, &call.request) {
            drop(self.stage.go_on(&mut future, true));
        }
        self.note("power cut while the store worked");
        self.stage.cut_power(before)?;
        self.history.end(call.place, Ended::Cut);
        Ok(())
    }

    /// Waits until nothing is under way in a store that works in the background. Answers stay on
    /// their way.
    fn come_to_rest(&mut self) {
        if !self.stage.works_in_background() {
            return;
        }
        for call in self.under_way.iter_mut().flatten() {
            if let Inside::Begun(future, _) = &mut call.inside
                && let Some(replies) = self.stage.go_on(future, true)
            {
                call.inside = Inside::Done(replies);
                call.after += 1;
            }
        }
    }

    fn deliver(
        &mut self,
        client: usize,
        place: usize,
        request: &Request,
        end: End,
        replies: Vec<Reply>,
    ) {
        let lost = match end {
            End::Lost => Some("answer lost"),
            End::Dropped(_) => Some("dropped"),
            _ => None,
        };
        if let Some(how) = lost {
            return self.history.end(place, |_| Ended::Lost(how));
        }
        self.board.learn(client, request, &replies);
        self.history.end(place, |at| Ended::Answered(at, replies));
    }

    /// Ends all calls, and reads everything.
    fn end(&mut self) -> Result<()> {
        for client in 0..self.under_way.len() {
            self.finish(client)?;
        }
        self.turn(&Turn::Mend)?;
        let mut failed = 0;
        for (client, key) in keys().into_iter().enumerate() {
            let client = client % self.under_way.len().max(1);
            loop {
                let options = GetOptions::new().with_expiry(true);
                let fate = Fate { before: 0, after: 0, end: End::Answered };
                self.begin_request(client, Request::Get(key.clone(), options), fate);
                self.finish(client)?;
                if !self.has_failed() {
                    break;
                }
                failed += 1;
                if failed > RECOVERY_CALLS {
                    return Err(state_core::Error::invalid("the store does not work again"));
                }
                // A write makes the store open itself again, and this one changes nothing.
                self.stage.wait_for_writes();
            }
        }
        Ok(())
    }

    /// Whether the last call was not served.
    fn has_failed(&self) -> bool {
        let last = self.history.events.iter().rev().find_map(|event| match &event.what {
            What::Call(called) => Some(&called.end),
            _ => None,
        });
        match last {
            Some(Ended::Answered(_, replies)) => {
                replies.iter().any(|reply| matches!(reply, Reply::Failed | Reply::Unknown))
            }
            _ => false,
        }
    }
}
