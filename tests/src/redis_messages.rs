//! Messages of users' own: what is delivered, to whom, and what is told when some may have been missed.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::StreamExt;
use libtest_mimic::{Failed, Trial};
use state_core::{BoxStream, ErrorKind, Result};
use state_redis::{Delivery, RedisStore, SubscribeOptions};

use crate::proxy::Ending;
use crate::redis_stage::{PATIENCE, Play, Stage, trial, until};
use crate::servers::Setup;

type Deliveries = BoxStream<'static, Result<Delivery>>;

const PLAYS: [(&str, Play); 3] = [
    ("a_lost_connection_is_a_gap", lost),
    ("a_reader_that_is_far_behind_is_told_a_gap", behind),
    ("a_slow_reader_holds_up_nobody_and_is_told_what_it_missed", slow),
];
/// With patterns and prefixes that the user of the setup with TLS may not use.
const FREE: [(&str, Play); 3] = [
    ("what_is_published_is_delivered_by_name_and_by_pattern", delivered),
    ("no_other_prefix_is_met", apart),
    ("subscriptions_share_a_connection_and_end_alone", together),
];

/// The tests for one setup.
pub fn trials(setup: Setup) -> Vec<Trial> {
    let named = |(name, play): (&str, Play)| trial(&format!("messages::{name}"), setup, play);
    let free = FREE.into_iter().filter(|_| setup != Setup::Tls);
    PLAYS.into_iter().chain(free).map(named).collect()
}

async fn next(deliveries: &mut Deliveries) -> Result<Delivery, Failed> {
    let delivered = tokio::time::timeout(PATIENCE, deliveries.next()).await;
    let delivered = delivered.map_err(|_| Failed::from("nothing was delivered"))?;
    Ok(delivered.ok_or("the subscription has ended")??)
}

async fn delivers(
    deliveries: &mut Deliveries,
    channel: &[u8],
    message: &str,
) -> Result<(), Failed> {
    let (channel, message) = (channel.to_vec().into(), message.to_owned().into());
    assert_eq!(next(deliveries).await?, Delivery::Message { channel, message });
    Ok(())
}

/// The messages that come next, in any order of their channels.
async fn by_channel(
    deliveries: &mut Deliveries,
    expected: &[(&str, &[&str])],
) -> Result<(), Failed> {
    let mut found: BTreeMap<Bytes, Vec<Bytes>> = BTreeMap::new();
    for _ in expected.iter().flat_map(|(_, messages)| *messages) {
        match next(deliveries).await? {
            Delivery::Message { channel, message } => {
                found.entry(channel).or_default().push(message);
            }
            other => return Err(format!("{other:?} was delivered").into()),
        }
    }
    let bytes = |text: &&str| Bytes::copy_from_slice(text.as_bytes());
    let expected = expected.iter().map(|(channel, messages)| {
        (bytes(channel), messages.iter().map(bytes).collect::<Vec<_>>())
    });
    assert_eq!(found, expected.collect());
    Ok(())
}

fn delivered(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = RedisStore::connect_with(stage.config()?).await?;
        assert_eq!(store.publish("nobody", "1").await?, 0);
        let mut one = store.subscribe(SubscribeOptions::channel("a*").with_channel("b")).await?;
        let mut all = store.subscribe(SubscribeOptions::pattern("[ab]?")).await?;
        for (channel, message) in [("a*", "1"), ("ab", "2"), ("b", "3"), ("a*", "")] {
            store.publish(channel, message).await?;
        }
        // Only what goes to one channel is in order.
        by_channel(&mut one, &[("a*", &["1", ""]), ("b", &["3"])]).await?;
        by_channel(&mut all, &[("a*", &["1", ""]), ("ab", &["2"])]).await?;
        let nothing = store.subscribe(SubscribeOptions::default()).await.err();
        assert_eq!(nothing.map(|error| error.kind()), Some(ErrorKind::Invalid));
        let unnamed = store.publish("", "1").await.err();
        assert_eq!(unnamed.map(|error| error.kind()), Some(ErrorKind::Invalid));
        Ok(())
    })
}

fn apart(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let mut subscribed = Vec::new();
        for prefix in ["a", "a:b", "*"] {
            let mut config = stage.config()?;
            prefix.clone_into(&mut config.key_prefix);
            let store = RedisStore::connect_with(config).await?;
            let deliveries = store.subscribe(SubscribeOptions::pattern("*")).await?;
            subscribed.push((prefix, store, deliveries));
        }
        for (prefix, store, _) in &subscribed {
            store.publish("b:c", *prefix).await?;
        }
        for (prefix, store, deliveries) in &mut subscribed {
            delivers(deliveries, b"b:c", prefix).await?;
            store.publish("last", "1").await?;
            delivers(deliveries, b"last", "1").await?;
        }
        Ok(())
    })
}

fn lost(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = RedisStore::connect_with(stage.config()?).await?;
        let mut deliveries = store.subscribe(SubscribeOptions::channel("c")).await?;
        for ending in [Ending::Reset, Ending::Close, Ending::Silence] {
            stage.end_connections(ending);
            while next(&mut deliveries).await? != Delivery::Gap {}
            until("publishing works again", || async { store.publish("c", "1").await.ok() })
                .await?;
            let mut message = next(&mut deliveries).await?;
            while message == Delivery::Gap {
                message = next(&mut deliveries).await?;
            }
            assert!(matches!(message, Delivery::Message { .. }), "{message:?}");
        }
        Ok(())
    })
}

/// Nobody reads while many messages come: what is not kept is a gap, in its place, and the rest is in order.
fn behind(stage: &Stage) -> Result<(), Failed> {
    const MESSAGES: u64 = 3_000;
    stage.run(async {
        let store = RedisStore::connect_with(stage.config()?).await?;
        let mut slow = store.subscribe(SubscribeOptions::channel("c")).await?;
        let mut quick = store.subscribe(SubscribeOptions::channel("end")).await?;
        for number in 0..MESSAGES {
            store.publish("c", number.to_string()).await?;
        }
        // Nobody else waits for the slow one.
        store.publish("end", "now").await?;
        delivers(&mut quick, b"end", "now").await?;
        let (mut expected, mut gap, mut gaps, mut read) = (0, false, 0, 0);
        // The message after the first gap is published when there is room again.
        while expected <= MESSAGES {
            match next(&mut slow).await? {
                Delivery::Gap => {
                    if gaps == 0 {
                        store.publish("c", MESSAGES.to_string()).await?;
                    }
                    (gap, gaps) = (true, gaps + 1);
                }
                Delivery::Message { message, .. } => {
                    let number: u64 = std::str::from_utf8(&message)?.parse()?;
                    assert!(
                        number == expected || (gap && number > expected),
                        "{number} for {expected}"
                    );
                    (expected, gap, read) = (number + 1, false, read + 1);
                }
                other => return Err(format!("{other:?} was delivered").into()),
            }
        }
        assert!(gaps > 0 && read < MESSAGES, "{gaps} gaps and {read} messages");
        store.publish("c", "after").await?;
        delivers(&mut slow, b"c", "after").await
    })
}

/// Messages that wait for a slow reader, as the documentation says.
const WAITING_MAX: usize = 1_024;

fn slow(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = RedisStore::connect_with(stage.config()?).await?;
        let mut slow = store.subscribe(SubscribeOptions::channel("c")).await?;
        let mut quick = store.subscribe(SubscribeOptions::channel("c")).await?;
        for number in 0..2 * WAITING_MAX {
            store.publish("c", number.to_string()).await?;
            delivers(&mut quick, b"c", &number.to_string()).await?;
        }
        for number in 0..WAITING_MAX {
            delivers(&mut slow, b"c", &number.to_string()).await?;
        }
        assert_eq!(next(&mut slow).await?, Delivery::Gap);
        store.publish("c", "after").await?;
        // The last of the others may have come when there was room again.
        while !matches!(next(&mut slow).await?, Delivery::Message { message, .. } if message == "after") {}
        delivers(&mut quick, b"c", "after").await
    })
}

fn together(stage: &Stage) -> Result<(), Failed> {
    let counted = |name| stage.counts().iter().map(|counts| counts.count(name)).sum::<u64>();
    stage.run(async {
        let store = RedisStore::connect_with(stage.config()?).await?;
        let logins = counted("HELLO");
        let mut both = store.subscribe(SubscribeOptions::channel("a").with_channel("b")).await?;
        let mut one = store.subscribe(SubscribeOptions::channel("a")).await?;
        let mut all = store.subscribe(SubscribeOptions::pattern("*")).await?;
        assert_eq!(counted("HELLO"), logins + 1, "one connection that takes what is sent unasked");
        // Each topic once, whoever wants it.
        assert_eq!((counted("SUBSCRIBE"), counted("PSUBSCRIBE")), (2, 1));
        store.publish("a", "1").await?;
        for deliveries in [&mut both, &mut one, &mut all] {
            delivers(deliveries, b"a", "1").await?;
        }
        drop(both);
        until("nobody wants it", || async { (counted("UNSUBSCRIBE") == 1).then_some(()) }).await?;
        store.publish("a", "2").await?;
        delivers(&mut one, b"a", "2").await?;
        delivers(&mut all, b"a", "2").await?;
        // Who comes later is told what comes later.
        let mut late = store.subscribe(SubscribeOptions::channel("a")).await?;
        let mut again = store.subscribe(SubscribeOptions::channel("b")).await?;
        store.publish("a", "3").await?;
        store.publish("b", "4").await?;
        delivers(&mut late, b"a", "3").await?;
        delivers(&mut again, b"b", "4").await?;
        delivers(&mut one, b"a", "3").await
    })
}
