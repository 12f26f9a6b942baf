//! Measures the embedded stores and the codecs side by side with what they are built on.

mod codec;
mod file;
mod growth;
mod memory;
mod suite;

use std::sync::Arc;

use state_core::Namespace;
use state_local::{FileStore, MemoryBackend};
use state_tests::bench::{self, Outcome};

/// `--quick` for fewer rounds; `--file` for the file store alone.
fn main() -> Outcome<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    if std::env::args().any(|argument| argument == "--file") {
        return bench::finish("local-file", &file::figures(quick)?, &[]);
    }
    let mut figures = suite::figures(quick)?;
    figures.extend(memory::figures(quick)?);
    figures.extend(file::figures(quick)?);
    growth::keys("memory", quick, || Ok(Arc::new(MemoryBackend::new())))?;
    let folder = tempfile::tempdir()?;
    growth::keys("file", quick, || {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let store = runtime.block_on(FileStore::at(folder.path().join("store")))?;
        Ok(Arc::new(store.open(Namespace::default())?))
    })?;
    let codecs = codec::figures(quick)?;
    bench::finish("local", &figures, &codecs)
}
