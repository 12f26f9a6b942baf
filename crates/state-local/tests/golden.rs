//! A frozen store: what an earlier version wrote opens, reads whole and can be written on.
//!
//! `golden/store-v1.zst` was written once, by a run of this test with `WRITE_MISSING_GOLDEN=1`, and never again: a change of
//! the format gets a new version and a new file beside the old. The frozen records are tests of the module that writes them
//! (`src/file/format/tests.rs`).
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

#[expect(unreachable_pub, reason = "shared with the fuzz targets")]
mod sample;

use std::path::{Path, PathBuf};

use state_core::{ManualClock, Namespace, Result, StateBackendExt};
use state_local::FileStore;

/// Far more than the store is as a file.
const FILE_BYTES_MAX: usize = 64 << 20;

async fn open(path: &Path) -> Result<FileStore> {
    FileStore::builder().clock(ManualClock::new()).open(path).await
}

/// A store of today, compressed.
async fn written_today() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = open(&path).await.unwrap();
    sample::fill(&store).await.unwrap();
    store.compact().await.unwrap();
    store.close().await.unwrap();
    zstd::bulk::compress(&std::fs::read(&path).unwrap(), 19).unwrap()
}

#[tokio::test]
async fn a_store_of_version_1_is_frozen() -> Result<()> {
    let frozen = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/store-v1.zst");
    if !frozen.exists() && std::env::var_os("WRITE_MISSING_GOLDEN").is_some() {
        std::fs::write(&frozen, written_today().await).unwrap();
    }
    let frozen = std::fs::read(&frozen).unwrap_or_else(|error| panic!("{frozen:?}: {error}"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    std::fs::write(&path, zstd::bulk::decompress(&frozen, FILE_BYTES_MAX).unwrap()).unwrap();

    let store = open(&path).await?;
    sample::check(&store).await?;
    store.verify().await?;
    let backend = store.open(Namespace::default())?;
    backend.put("later", "1").await?;
    store.close().await?;
    drop((backend, store));

    let backend = open(&path).await?.open(Namespace::default())?;
    assert_eq!(backend.get("later").await?.as_deref(), Some(b"1".as_slice()));
    assert_eq!(backend.get("plain").await?.as_deref(), Some(b"value".as_slice()));
    Ok(())
}

#[tokio::test]
async fn the_sample_is_read_whole_from_a_store_of_today() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = open(&path).await?;
    sample::fill(&store).await?;
    store.close().await?;
    drop(store);
    sample::check(&open(&path).await?).await
}
