//! What threads take in the memory of the server.
//!
//! With `STATE_CONVERSATIONS`, a file of `{"thread", "messages"}` lines, that is replayed as well.

use std::io::Write;

use libtest_mimic::Failed;
use serde_json::Value;
use state_checkpoint::CheckpointOptions;
use state_core::Namespace;
use state_core::checkpoint::CheckpointerExt;
use state_redis::RedisStore;

use super::conversation::{put_turn, reference};
use crate::chat::text;
use crate::redis_stage::Stage;

/// Threads, and messages of each: as many as the recorded conversations have.
const THREADS: usize = 30;
const MESSAGES: usize = 26;

pub(super) fn in_proportion(stage: &Stage) -> Result<(), Failed> {
    let made: Vec<Vec<String>> = (0..THREADS)
        .map(|thread| {
            let message = |number: usize| {
                let seed = (thread * 1_000 + number + 1) as u64;
                format!("{{\"role\":\"user\",\"content\":\"{}\"}}", text(seed, 550))
            };
            (0..MESSAGES).map(message).collect()
        })
        .collect();
    replay(stage, "made", &made)?;
    let Some(path) = std::env::var_os("STATE_CONVERSATIONS") else { return Ok(()) };
    let lines = std::fs::read_to_string(path)?;
    let mut recorded = Vec::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line)?;
        let messages = line.get("messages").and_then(Value::as_array).ok_or("no messages")?;
        recorded.push(messages.iter().map(Value::to_string).collect());
    }
    replay(stage, "recorded", &recorded)
}

fn replay(stage: &Stage, what: &str, threads: &[Vec<String>]) -> Result<(), Failed> {
    stage.run(async {
        let store = RedisStore::connect_with(stage.config()?).await?;
        let checkpoints = store.checkpoints(Namespace::new(what.to_owned())?, CheckpointOptions::new())?;
        // Scripts and connections take memory of their own.
        put_turn(&checkpoints, "first", 0, &mut "[]".to_owned(), "begin").await?;
        checkpoints.delete_thread("first").await?;
        let before = used(stage)?;
        let (mut raw, mut turns) = (0_u64, 0);
        for (number, messages) in threads.iter().enumerate() {
            let mut list = "[]".to_owned();
            for (turn, message) in messages.iter().enumerate() {
                put_turn(&checkpoints, &format!("thread {number}"), turn, &mut list, message)
                    .await?;
                raw += message.len() as u64;
                turns += 1;
            }
        }
        let grown = used(stage)?.saturating_sub(before);
        let percent = grown * 100 / raw.max(1);
        writeln!(
            std::io::stdout(),
            "memory: {what}: {} threads, {turns} checkpoints, {raw} bytes of text: used_memory grew by {grown}, {percent} %",
            threads.len()
        )?;
        // Every step is readable, by somebody who knows nothing.
        let cold = store.checkpoints(Namespace::new(what.to_owned())?, CheckpointOptions::new())?;
        for (number, messages) in threads.iter().enumerate() {
            for turn in [0, messages.len() / 2, messages.len() - 1] {
                let at = reference(&format!("thread {number}"), turn);
                let found = cold.at(&at).await?.ok_or("a checkpoint is missing")?;
                let wanted = format!("[{}]", messages.get(..=turn).unwrap_or_default().join(","));
                let value = found.value("messages").ok_or("a value is missing")?;
                assert_eq!(value.bytes(), wanted.as_bytes());
            }
        }
        assert!(percent <= 150, "{what}: {percent} % of the text");
        Ok(())
    })
}

fn used(stage: &Stage) -> Result<u64, Failed> {
    let info = stage.admin(&["INFO", "memory"])?;
    Ok(info.info("used_memory").ok_or("no used_memory")?.parse()?)
}
