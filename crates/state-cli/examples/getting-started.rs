//! The program of `docs/guides/getting-started.md`; a test holds the two together.
#![expect(clippy::print_stdout, reason = "it shows its results to whoever tries it")]

use std::time::Duration;

use serde::{Deserialize, Serialize};
use state_codec::{Json, StateBackendTyped};
use state_core::{ErrorKind, Namespace, Result, StateBackendExt};
use state_local::FileStore;

#[derive(Debug, Default, Deserialize, Serialize)]
struct Cart {
    items: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let store = FileStore::at("shop.state").await?;
    let shop = store.open(Namespace::new("shop")?)?;

    // Keys and values are bytes. What has expired is absent, everywhere at once.
    shop.put_with_ttl("session:9", "signed in", Duration::from_secs(1_800)).await?;

    // One atomic step, also when many tasks do it at the same time.
    let visits = shop.increment("visits", 1).await?;

    // Typed values, in an envelope that says how they were written.
    let carts = shop.typed::<Cart, Json>();
    let mut cart = carts.get("cart:ada").await?.unwrap_or_default();
    cart.items.push(format!("apple {visits}"));
    carts.put("cart:ada", &cart).await?;

    // Compare-and-set: only if nobody has written since.
    if let Some(entry) = shop.get_entry("session:9").await? {
        match shop.compare_and_set("session:9", entry.version, "paying").await {
            Ok(_) => println!("visit {visits}: paying for {:?}", cart.items),
            Err(error) if error.kind() == ErrorKind::Conflict => println!("somebody was faster"),
            Err(error) => return Err(error),
        }
    }
    store.close().await
}
