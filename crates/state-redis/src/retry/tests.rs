//! Tests of the retry rules, with a clock that is moved by hand.

use std::error::Error as _;

use futures_util::FutureExt;
use state_core::ManualClock;

use super::*;
use crate::errors::Fault;

fn rules(change: impl FnOnce(&mut RedisConfig)) -> (Retry, ManualClock) {
    let mut config = RedisConfig::default();
    change(&mut config);
    let clock = ManualClock::new();
    (Retry::new(&config, Arc::new(clock.clone())), clock)
}

/// Runs the wait of `failed` to its end.
fn after(call: &mut Call<'_>, clock: &ManualClock, failure: Failure) -> Result<Again, Error> {
    let mut waiting = Box::pin(call.failed(failure));
    loop {
        if let Some(done) = (&mut waiting).now_or_never() {
            return done;
        }
        assert_eq!(clock.sleepers(), 1);
        clock.advance(Duration::from_millis(1));
    }
}

#[test]
fn the_whole_table_of_verdicts() {
    use Outcome::{Applied, NotApplied, Unknown};
    use Repeat::{OnlyIfNotApplied as Once, Safe};
    use RetryClass::{LoadScript, Never, Reconnect, Redirect, Refresh, SlotMoves, Wait};
    use Verdict::{AfterWait, AtOnce, Stop};
    for (class, when_allowed) in [
        (Never, Stop),
        (Redirect, AtOnce),
        (LoadScript, AtOnce),
        (Wait, AfterWait),
        (SlotMoves, AfterWait),
        (Refresh, AfterWait),
        (Reconnect, AfterWait),
    ] {
        for (outcome, repeat, expected) in [
            (NotApplied, Safe, when_allowed),
            (NotApplied, Once, when_allowed),
            (Unknown, Safe, when_allowed),
            (Unknown, Once, Stop),
            (Applied, Safe, Stop),
            (Applied, Once, Stop),
        ] {
            assert_eq!(
                verdict(class, outcome, repeat),
                expected,
                "{class:?} {outcome:?} {repeat:?}"
            );
        }
    }
}

#[test]
fn three_retries_make_four_attempts_and_the_error_names_them() {
    let (retry, clock) = rules(|_| ());
    let mut call = retry.call("get", Repeat::Safe);
    for n in 1..=3 {
        let again = after(&mut call, &clock, Fault::Refused.into()).unwrap();
        assert_eq!(again, Again { step: Step::Reconnect });
        assert_eq!(call.retries, n);
    }
    let error = after(&mut call, &clock, Fault::Refused.into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.outcome(), Outcome::NotApplied);
    assert_eq!((error.op(), error.attempts()), (Some("get"), 4));
    assert!(error.to_string().ends_with("(after 4 attempts)"), "{error}");
}

#[test]
fn a_slot_that_moves_is_waited_for_until_the_deadline_and_costs_no_retries() {
    let (retry, clock) = rules(|config| config.retry_budget_min_per_s = 0);
    let tryagain = || Failure::from_reply("TRYAGAIN", "Multiple keys request");
    let mut call = retry.call("put", Repeat::OnlyIfNotApplied);
    while call.remaining() > Duration::from_secs(1) {
        assert_eq!(after(&mut call, &clock, tryagain()).unwrap(), Again { step: Step::Same });
    }
    assert!(call.waits > 3, "{call:?}");
    assert_eq!(call.retries, 0);
    let error = loop {
        if let Err(error) = after(&mut call, &clock, tryagain()) {
            break error;
        }
    };
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied));
    assert_eq!(error.attempts(), call.waits + 1);
    // What else happens to the call has all its retries.
    let mut call = retry.call("put", Repeat::Safe);
    after(&mut call, &clock, tryagain()).unwrap();
    for _ in 1..=3 {
        after(&mut call, &clock, Fault::Refused.into()).unwrap();
    }
    after(&mut call, &clock, Fault::Refused.into()).unwrap_err();
    let (retry, clock) = rules(|config| config.retries = 0);
    let mut call = retry.call("put", Repeat::Safe);
    after(&mut call, &clock, tryagain()).unwrap_err();
}

#[test]
fn without_retries_the_first_failure_is_the_last() {
    let (retry, clock) = rules(|config| config.retries = 0);
    let mut call = retry.call("get", Repeat::Safe);
    let error = after(&mut call, &clock, Fault::Refused.into()).unwrap_err();
    assert_eq!(error.attempts(), 1);
}

#[test]
fn what_may_have_happened_is_not_sent_again_unless_that_is_harmless() {
    let (retry, clock) = rules(|_| ());
    let mut once = retry.call("increment", Repeat::OnlyIfNotApplied);
    let error = after(&mut once, &clock, Fault::LostAfterSend.into()).unwrap_err();
    assert_eq!((error.outcome(), error.attempts()), (Outcome::Unknown, 1));
    let mut safe = retry.call("put", Repeat::Safe);
    let again = after(&mut safe, &clock, Fault::LostAfterSend.into()).unwrap();
    assert_eq!(again, Again { step: Step::Reconnect });
}

#[test]
fn what_one_try_left_open_a_later_refusal_does_not_settle() {
    let (retry, clock) = rules(|config| config.retries = 1);
    let mut call = retry.call("put", Repeat::Safe);
    after(&mut call, &clock, Fault::LostAfterSend.into()).unwrap();
    let error = after(&mut call, &clock, Fault::Refused.into()).unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);

    let mut call = retry.call("put", Repeat::Safe);
    after(&mut call, &clock, Fault::LostAfterSend.into()).unwrap();
    let denied = Failure::from_reply("NOAUTH", "Authentication required.");
    let error = after(&mut call, &clock, denied).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Denied, Outcome::Unknown));
}

#[test]
fn what_cannot_succeed_is_not_repeated() {
    let (retry, clock) = rules(|_| ());
    for code in ["WRONGPASS", "NOPERM", "WRONGTYPE", "OOM", "STATECORRUPT", "CROSSSLOT"] {
        let mut call = retry.call("put", Repeat::Safe);
        let error = after(&mut call, &clock, Failure::from_reply(code, "")).unwrap_err();
        assert_eq!((error.attempts(), clock.sleepers()), (1, 0), "{code}");
    }
}

#[test]
fn redirections_are_followed_at_once_and_for_nothing_but_not_for_ever() {
    let (retry, clock) = rules(|_| ());
    let mut call = retry.call("get", Repeat::OnlyIfNotApplied);
    let moved = || Failure::from_reply("MOVED", "7 10.0.0.1:6379");
    for _ in 0..FREE_HOPS {
        let again = call.failed(moved()).now_or_never().expect("no wait").unwrap();
        assert!(matches!(again.step, Step::Follow(_)));
    }
    assert_eq!(call.retries, 0);
    for _ in 0..3 {
        after(&mut call, &clock, moved()).unwrap();
    }
    let error = after(&mut call, &clock, moved()).unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Unavailable, 4));

    let mut call = retry.call("get", Repeat::Safe);
    let garbled = after(&mut call, &clock, Failure::from_reply("MOVED", "nowhere")).unwrap();
    assert_eq!((garbled.step, call.retries), (Step::Refresh, 1));
    let script = call.failed(Failure::from_reply("NOSCRIPT", "")).now_or_never().unwrap().unwrap();
    assert_eq!(script.step, Step::LoadScript);
}

#[test]
fn each_class_has_its_step() {
    let (retry, clock) = rules(|_| ());
    for (failure, step) in [
        (Failure::from_reply("LOADING", ""), Step::Same),
        (Failure::from_reply("READONLY", ""), Step::Refresh),
        (Failure::from_reply("ERR", "max number of clients reached"), Step::Reconnect),
    ] {
        let mut call = retry.call("put", Repeat::OnlyIfNotApplied);
        assert_eq!(after(&mut call, &clock, failure).unwrap().step, step);
    }
}

#[test]
fn the_deadline_ends_the_retries() {
    let (retry, clock) = rules(|config| {
        config.retries = 100;
        config.call_timeout_ms = 2_000;
        config.retry_budget_min_per_s = 100_000;
    });
    let started = clock.monotonic();
    let mut call = retry.call("get", Repeat::Safe);
    let error = loop {
        if let Err(error) = after(&mut call, &clock, Fault::Refused.into()) {
            break error;
        }
    };
    assert!(error.attempts() > 1);
    assert!(clock.monotonic() <= started + Duration::from_secs(2), "no wait past the deadline");
    // Redirections cost nothing, save time.
    clock.advance(Duration::from_secs(2));
    let moved = Failure::from_reply("MOVED", "7 10.0.0.1:6379");
    assert!(after(&mut call, &clock, moved).is_err());
    assert_eq!(call.remaining(), Duration::ZERO);
}

#[test]
fn a_late_try_is_unavailable_and_a_late_call_is_a_timeout() {
    let (retry, clock) = rules(|config| config.retries = 0);
    let mut call = retry.call("get", Repeat::Safe);
    let error = after(&mut call, &clock, Fault::ReplyTimeout.into()).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown));
    assert!(error.source().is_some());
    let mut call = retry.call("get", Repeat::Safe);
    clock.advance(Duration::from_secs(10));
    let error = after(&mut call, &clock, Fault::ReplyTimeout.into()).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::Unknown));
}

#[test]
fn the_budget_bounds_the_retries_of_all_calls_together() {
    let (retry, clock) = rules(|config| {
        config.retry_budget_percent = 10;
        config.retry_budget_min_per_s = 0;
    });
    let mut repeated = 0;
    for _ in 0..10_000 {
        let mut call = retry.call("get", Repeat::Safe);
        while after(&mut call, &clock, Failure::from_reply("LOADING", "")).is_ok() {
            repeated += 1;
        }
    }
    // A tenth of the calls, and what was saved up at the start.
    assert!((1_000..=1_100).contains(&repeated), "{repeated}");
}
