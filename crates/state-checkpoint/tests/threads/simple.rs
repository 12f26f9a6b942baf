//! The simple face: one state after the other.

use futures_util::TryStreamExt;
use state_core::checkpoint::{Checkpoint, Checkpointer, CheckpointerExt, PutCheckpoint};
use state_core::{ErrorKind, Timestamp};

use crate::stand::{id, json, stand, step, with_messages};

fn checkpoint(number: usize) -> Checkpoint {
    let body = json(format!("\"the state after step {number}\""));
    Checkpoint::new(id(number), Timestamp::from_unix_ms(7)).with_body(body)
}

#[tokio::test]
async fn what_is_saved_is_loaded_and_listed() {
    let stand = stand();
    assert_eq!(stand.checkpoints.load("t").await.unwrap(), None);
    for number in 0..5 {
        let saved = stand.checkpoints.save("t", checkpoint(number)).await.unwrap();
        assert_eq!(saved.id.as_str(), id(number));
        assert_eq!(stand.cold().load("t").await.unwrap(), Some(checkpoint(number)));
    }
    let elsewhere = with_messages(step("t", 9), 1).with_namespace("child").with_parent(None);
    stand.checkpoints.put_checkpoint(elsewhere).await.unwrap();
    let all: Vec<_> = stand.cold().list_of("t").try_collect().await.unwrap();
    assert_eq!(all.len(), 5, "the root namespace alone");
    for (number, tuple) in (0..5).rev().zip(all) {
        assert_eq!(tuple.checkpoint, checkpoint(number));
        assert_eq!(tuple.parent, number.checked_sub(1).map(|parent| id(parent).into()));
    }
}

#[tokio::test]
async fn more_than_a_page_is_listed() {
    let stand = stand();
    for number in 0..120 {
        stand
            .checkpoints
            .put_checkpoint(PutCheckpoint::new("t", checkpoint(number)))
            .await
            .unwrap();
    }
    let all: Vec<_> = stand.checkpoints.list_of("t").try_collect().await.unwrap();
    assert_eq!(all.len(), 120);
}

#[tokio::test]
async fn what_is_saved_twice_is_there_once_and_an_older_one_is_refused() {
    let stand = stand();
    for number in [1, 2, 4] {
        stand.checkpoints.save("t", checkpoint(number)).await.unwrap();
    }
    for number in [4, 2, 1] {
        stand.cold().save("t", checkpoint(number)).await.unwrap();
    }
    assert_eq!(stand.cold().list_of("t").try_collect::<Vec<_>>().await.unwrap().len(), 3);
    let older = stand.checkpoints.save("t", checkpoint(3)).await.unwrap_err();
    assert_eq!(older.kind(), ErrorKind::Conflict);
    let other = checkpoint(4).with_body(json("\"another\""));
    let other = stand.checkpoints.save("t", other).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Conflict);
    assert_eq!(stand.cold().load("t").await.unwrap(), Some(checkpoint(4)));
}
