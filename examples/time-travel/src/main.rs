//! Every earlier state of a thread: read, compared, branched from, and made the latest again.
//!
//! `cargo run -p time-travel`. The store is in memory; with a `FileStore` the rest stays as it is,
//! and so it does on Redis, with `RedisCheckpointer::connect("redis://127.0.0.1:6379").await?` of
//! `state-redis` in place of `Checkpoints::open`.

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use state_checkpoint::{BackendThreads, Checkpoints};
use state_core::checkpoint::{ChannelChange, CheckpointRef, CheckpointerExt};
use state_core::{Namespace, Result};
use state_local::MemoryStore;

#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
struct Draft {
    title: String,
    paragraphs: Vec<String>,
}

/// Tells a story of a draft, line by line.
async fn tell(checkpoints: &Checkpoints<BackendThreads>) -> Result<Vec<String>> {
    let mut story = Vec::new();
    let thread = checkpoints.thread::<Draft>("draft");
    let mut draft = Draft { title: "On tides".to_owned(), paragraphs: Vec::new() };
    for paragraph in ["The moon pulls.", "The sea follows.", "The mud remains."] {
        draft.paragraphs.push(paragraph.to_owned());
        thread.save(&draft).await?;
    }

    // All states, the newest first.
    let history: Vec<_> = thread.history().try_collect().await?;
    for saved in &history {
        let (step, count) = (saved.metadata.step(), saved.state.paragraphs.len());
        story.push(format!("step {}: {count} paragraphs", step.unwrap_or_default()));
    }
    let [latest, middle, _first] = history.as_slice() else { return Ok(story) };

    // One of them, as it was.
    if let Some(then) = thread.load_at(&middle.id).await? {
        story.push(format!("then: {}", then.paragraphs.join(" ")));
    }

    // What if? Another thread, out of that checkpoint and what it descends from.
    let branch = thread.fork(&middle.id, "draft, merry").await?;
    branch.update(|draft| draft.paragraphs.push("The crabs dance.".to_owned())).await?;

    // What differs, channel by channel.
    let here = CheckpointRef::new("draft", latest.id.clone());
    if let Some(there) = checkpoints.latest("draft, merry").await? {
        let diff = checkpoints.diff(&here, &there.reference).await?;
        for (channel, change) in diff.channels {
            let what = match change {
                ChannelChange::Added(_) => "is new",
                ChannelChange::Removed(_) => "is gone",
                _ => "differs",
            };
            story.push(format!("between the branches, {channel} {what}"));
        }
    }

    // Back: the earlier state is the latest again, and what came after it stays in the history.
    thread.rewind(&middle.id).await?;
    let now = thread.load().await?.unwrap_or_default();
    let steps = thread.history().try_fold(0, |steps, _| async move { Ok(steps + 1) }).await?;
    story.push(format!("after the rewind: {} paragraphs, {steps} steps", now.paragraphs.len()));
    Ok(story)
}

#[expect(clippy::print_stdout, reason = "an example talks to its reader")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let store = MemoryStore::new().open(Namespace::default())?;
    for line in tell(&Checkpoints::open(store)?).await? {
        println!("{line}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_story_is_this_one() {
        let store = MemoryStore::new().open(Namespace::default()).unwrap();
        let checkpoints = Checkpoints::open(store).unwrap();
        let expected = [
            "step 2: 3 paragraphs",
            "step 1: 2 paragraphs",
            "step 0: 1 paragraphs",
            "then: The moon pulls. The sea follows.",
            "between the branches, paragraphs differs",
            "after the rewind: 2 paragraphs, 4 steps",
        ];
        assert_eq!(tell(&checkpoints).await.unwrap(), expected);
        let merry = checkpoints.thread::<Draft>("draft, merry").load().await.unwrap().unwrap();
        let end = merry.paragraphs.last().map(String::as_str);
        assert_eq!((merry.paragraphs.len(), end), (3, Some("The crabs dance.")));
    }
}
