//! What conversations cost to store, every step readable, beside the text and beside simpler schemes.

use std::path::Path;

use redis::aio::MultiplexedConnection;
use state_checkpoint::Checkpoints;
use state_core::Namespace;
use state_local::{FileStore, FileStoreBuilder};
use state_tests::bench::{Figure, Outcome, number, say};

use crate::ground::Ground;
use crate::input::{Conversation, Input};
use crate::steps::{SHAPE, body, check, id, lists, replay};

/// At most one and a half times the text.
const GOAL: f64 = 1.0 / 1.5;
const UNIT: &str = "bytes";

pub(crate) async fn figures(input: &Input) -> Outcome<Vec<Figure>> {
    say(SHAPE);
    let ours = on_redis(input).await?;
    let whole = simple(input, Scheme::WholeCopies).await?;
    let versioned = simple(input, Scheme::WholeChannels).await?;
    let file = in_a_file(input, FileStore::builder()).await?;
    let left = in_a_file(input, FileStore::builder().compact_bytes_max(0)).await?;
    let text = bytes(input.bytes);
    let figure = |case: &str, against: &str, this: f64, that: f64| {
        Figure::costs(case.to_owned(), UNIT, against, &[(this, that)])
    };
    Ok(vec![
        figure("Redis used_memory, all steps", "the text alone", ours, text).with_goal(GOAL),
        figure("Redis used_memory, all steps", "a whole copy a step", ours, whole),
        figure("Redis used_memory, all steps", "whole channels by version", ours, versioned),
        figure("file store, all steps", "the text alone", file, text).with_goal(GOAL),
        figure("file store, never made small", "the text alone", left, text),
    ])
}

fn bytes(count: usize) -> f64 {
    number(count)
}

async fn on_redis(input: &Input) -> Outcome<f64> {
    let ground = Ground::start(false)?;
    let checkpoints = ground.warm().await?;
    let before = ground.used_memory()?;
    for conversation in &input.conversations {
        replay(&checkpoints, conversation).await?;
    }
    let grown = ground.used_memory()?.saturating_sub(before);
    let fresh = ground.checkpoints().await?;
    for conversation in &input.conversations {
        check(&fresh, conversation).await?;
    }
    say("Redis: every step was read back by another instance and compared");
    Ok(bytes(usize::try_from(grown)?))
}

async fn in_a_file(input: &Input, builder: FileStoreBuilder) -> Outcome<f64> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("threads.db");
    let store = builder.open(&path).await?;
    let checkpoints = Checkpoints::open(store.open(Namespace::default())?)?;
    for conversation in &input.conversations {
        replay(&checkpoints, conversation).await?;
    }
    drop(checkpoints);
    store.close().await?;
    let size = size(&path)?;
    let store = FileStore::builder().open(&path).await?;
    let checkpoints = Checkpoints::open(store.open(Namespace::default())?)?;
    for conversation in &input.conversations {
        check(&checkpoints, conversation).await?;
    }
    say("file: every step was read back after opening again, and compared");
    Ok(size)
}

fn size(path: &Path) -> Outcome<f64> {
    Ok(bytes(usize::try_from(std::fs::metadata(path)?.len())?))
}

/// A simpler way to store steps.
#[derive(Clone, Copy, Debug)]
enum Scheme {
    /// One key for each step, with everything in it.
    WholeCopies,
    /// One key for each step, and one for each version of a channel.
    WholeChannels,
}

async fn simple(input: &Input, scheme: Scheme) -> Outcome<f64> {
    let ground = Ground::start(false)?;
    let mut plain = ground.plain().await?;
    let before = ground.used_memory()?;
    for conversation in &input.conversations {
        put_simply(&mut plain, conversation, scheme).await?;
    }
    Ok(bytes(usize::try_from(ground.used_memory()?.saturating_sub(before))?))
}

async fn put_simply(
    plain: &mut MultiplexedConnection,
    conversation: &Conversation,
    scheme: Scheme,
) -> Outcome<()> {
    for (step, list) in lists(conversation).enumerate() {
        let metadata = format!("{{\"source\":\"loop\",\"step\":{step},\"parents\":{{}}}}");
        let record = format!("{}{metadata}{}", id(step), body(step));
        let name = &conversation.thread;
        let mut pipeline = redis::pipe();
        match scheme {
            Scheme::WholeCopies => {
                pipeline.set(format!("copy:{name}:{step}"), record + &list).ignore();
            }
            Scheme::WholeChannels => {
                pipeline.set(format!("step:{name}:{step}"), record).ignore();
                pipeline.set(format!("blob:{name}:messages:{step}"), list).ignore();
            }
        }
        pipeline.query_async::<()>(plain).await?;
    }
    Ok(())
}
