//! What is stored follows what changed: counted in bytes, never timed.
//!
//! `cargo test -p state-checkpoint --test figures -- --nocapture` prints the numbers.

#[cfg(test)]
mod turns {

    use state_checkpoint::Checkpoints;
    use state_core::checkpoint::{
        Checkpoint, Checkpointer, ListThreads, Metadata, Payload, PutCheckpoint,
    };
    use state_core::{Namespace, Timestamp};
    use state_local::MemoryStore;

    /// Text that shrinks about as chat does: words out of a vocabulary, in no order.
    pub(super) fn text(seed: u64, bytes: usize) -> String {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut text = String::new();
        while text.len() < bytes {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let word = state % 4_096;
            for digit in [word & 15, word >> 4 & 15, word >> 8] {
                text.push(char::from(b'a' + u8::try_from(digit).unwrap()));
            }
            text.push(' ');
        }
        text.truncate(bytes);
        text
    }

    pub(super) fn id(n: usize) -> String {
        format!("1f0{n:05x}-0000-6000-8000-000000000000")
    }

    pub(super) async fn put_step(checkpoints: &Checkpoints, n: usize, list: &str) {
        let checkpoint = Checkpoint::new(id(n), Timestamp::from_unix_ms(1_780_000_000_000))
            .with_channel("messages", i64::try_from(n).unwrap());
        let metadata =
            Metadata::new().with("source", "loop").with("step", i64::try_from(n).unwrap());
        let put = PutCheckpoint::new("thread", checkpoint)
            .with_parent(n.checked_sub(1).map(|parent| id(parent).into()))
            .with_metadata(metadata)
            .with_value("messages", Payload::new("json", list.to_owned()));
        checkpoints.put_checkpoint(put).await.unwrap();
    }

    /// Puts a list that grows by a message of `bytes` each turn, and returns the list.
    pub(super) async fn grow(checkpoints: &Checkpoints, turns: usize, bytes: usize) -> String {
        let mut list = "[]".to_owned();
        for n in 0..turns {
            list.pop();
            if n > 0 {
                list.push(',');
            }
            list.extend(["\"", &text(n as u64 + 1, bytes), "\"]"]);
            put_step(checkpoints, n, &list).await;
        }
        list
    }

    pub(super) fn in_memory() -> Checkpoints {
        let backend = MemoryStore::new().open(Namespace::default()).unwrap();
        Checkpoints::open(backend).unwrap()
    }

    pub(super) async fn bytes_of(checkpoints: &Checkpoints) -> u64 {
        checkpoints.list_threads(ListThreads::new()).await.unwrap().items[0].bytes
    }
}

use std::sync::Arc;

use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_core::Namespace;
use state_core::checkpoint::{CheckpointRef, CheckpointerExt};
use state_local::FileStore;

use turns::{bytes_of, grow, id, in_memory, put_step, text};

#[tokio::test]
async fn two_hundred_turns_of_1_kb_take_at_most_half_a_megabyte() {
    let checkpoints = in_memory();
    let list = grow(&checkpoints, 200, 1_000).await;
    let bytes = bytes_of(&checkpoints).await;
    println!("memory: 200 turns of 1 KB: {bytes} bytes for {} of text", list.len());
    assert!(bytes <= 500_000, "{bytes}");
}

#[tokio::test]
async fn bytes_per_turn_are_flat() {
    let mut each = Vec::new();
    for turns in [500, 5_000] {
        let checkpoints = in_memory();
        grow(&checkpoints, turns, 40).await;
        let bytes = bytes_of(&checkpoints).await;
        println!("memory: {turns} turns of 40 bytes: {} bytes a turn", bytes / turns as u64);
        each.push(bytes / turns as u64);
    }
    assert!(each[1] * 10 <= each[0] * 12, "{each:?}");
}

#[tokio::test]
async fn a_small_change_of_a_large_state_costs_little() {
    let checkpoints = in_memory();
    let mut state = text(7, 100_000).into_bytes();
    put_step(&checkpoints, 0, std::str::from_utf8(&state).unwrap()).await;
    let before = bytes_of(&checkpoints).await;
    for n in 1..=100 {
        let at = n * 937 % state.len();
        state.splice(at..(at + 20).min(state.len()), *b"CHANGED");
        put_step(&checkpoints, n, std::str::from_utf8(&state).unwrap()).await;
    }
    let each = (bytes_of(&checkpoints).await - before) / 100;
    println!("memory: one small change of 100 KB: {each} bytes");
    assert!(each < 1_000, "{each}");
    let tuple = checkpoints.at(&CheckpointRef::new("thread", id(100))).await.unwrap().unwrap();
    assert_eq!(tuple.value("messages").unwrap().bytes(), &state);
}

#[tokio::test]
async fn the_file_follows_what_changed() {
    let folder = tempfile::tempdir().unwrap();
    let mut sizes = Vec::new();
    for turns in [1_usize, 200, 400] {
        let path = folder.path().join(format!("{turns}.db"));
        let store = FileStore::builder().open(&path).await.unwrap();
        let backend = Arc::new(store.open(Namespace::default()).unwrap());
        let checkpoints = Checkpoints::open_with(backend, CheckpointOptions::new()).unwrap();
        let list = grow(&checkpoints, turns, 1_000).await;
        drop(checkpoints);
        store.close().await.unwrap();
        let size = std::fs::metadata(&path).unwrap().len();
        println!("file: {turns} turns of 1 KB: {size} bytes for {} of text", list.len());
        sizes.push(size);
    }
    // As whole copies, 400 turns would be 80 MB and four times as much as 200. A file that takes less
    // than 256 KiB is never made small, and may be longer than one that takes more.
    assert!(sizes[1] < 450_000, "{sizes:?}");
    assert!(sizes[2] < 2 * sizes[1] + 100_000, "{sizes:?}");
}
