//! Logins and permissions that are refused, and changed while the store is open.

use std::time::Duration;

use libtest_mimic::Failed;
use state_core::{ErrorKind, Outcome, StateBackendExt};
use state_redis::{RedisConfig, Secret};

use crate::proxy::Ending;
use crate::redis_stage::{Stage, fails, open, works_again};

const DENIED: (ErrorKind, Outcome) = (ErrorKind::Denied, Outcome::NotApplied);
const USER: &str = "worker";
const PASSWORD: &str = "first-password-7c1e";
const NEXT: &str = "second-password-90b2";

/// Settings of a user with a password.
fn login(stage: &Stage, password: &str) -> Result<RedisConfig, Failed> {
    let mut config = stage.config()?;
    config.username = Some(USER.to_owned());
    config.password = Some(Secret::from(password.to_owned()));
    Ok(config)
}

fn set_user(stage: &Stage, rules: &[&str]) -> Result<(), Failed> {
    stage.admin_primaries(&[&["ACL", "SETUSER", USER], rules].concat())
}

/// Nobody gets in without the right password, and no error shows it.
pub(super) fn refused(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        set_user(stage, &["on", &format!(">{PASSWORD}"), "~*", "&*", "+@all"])?;
        works_again(&open(login(stage, PASSWORD)?).await?).await?;
        let wrong = connect_error(login(stage, NEXT)?).await?;
        assert!(wrong.contains("WRONGPASS"), "{wrong}");
        assert!(!wrong.contains(NEXT) && !wrong.contains(PASSWORD), "{wrong}");
        // The sentinels lose the primary as well, and must not put another in its place.
        stage.keep_primary()?;
        stage.admin_primaries(&["ACL", "SETUSER", "default", "resetpass"])?;
        let nobody = connect_error(stage.config()?).await?;
        assert!(nobody.contains("NOAUTH"), "{nobody}");
        Ok(())
    })
}

/// The error of connecting, as it is shown and as `Debug` writes it.
async fn connect_error(config: RedisConfig) -> Result<String, Failed> {
    let store = state_redis::RedisStore::connect_with(config).await;
    let error = fails(store, DENIED.0, DENIED.1)?;
    assert_eq!(error.attempts(), 1, "a refused login is not repeated");
    Ok(format!("{error} {error:?}"))
}

/// The password is changed, and the store is not told; then it is changed back.
pub(super) fn rotated(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        set_user(stage, &["on", &format!(">{PASSWORD}"), "~*", "&*", "+@all"])?;
        let store = open(login(stage, PASSWORD)?).await?;
        works_again(&store).await?;
        set_user(stage, &["resetpass", &format!(">{NEXT}")])?;
        // Who is in stays in.
        store.put("k", "1").await?;
        stage.end_connections(Ending::Reset);
        drop(store.get("k").await);
        let error = fails(store.put("k", "2").await, DENIED.0, DENIED.1)?;
        assert!(error.to_string().contains("WRONGPASS"), "{error}");
        works_again(&open(login(stage, NEXT)?).await?).await?;
        set_user(stage, &[&format!(">{PASSWORD}")])?;
        works_again(&store).await?;
        assert_eq!(store.get("k").await?.as_deref(), Some(b"1".as_slice()));
        Ok(())
    })
}

/// A command, or a key, is denied while the store is open.
pub(super) fn denied(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        set_user(stage, &["on", &format!(">{PASSWORD}"), "~*", "&*", "+@all"])?;
        let store = open(login(stage, PASSWORD)?).await?;
        works_again(&store).await?;
        store.put("k", "1").await?;
        set_user(stage, &["-set"])?;
        fails(store.put("k", "2").await, DENIED.0, DENIED.1)?;
        assert_eq!(store.get("k").await?.as_deref(), Some(b"1".as_slice()), "reads go on");
        set_user(stage, &["+set", "-evalsha"])?;
        fails(store.increment("k", 1).await, DENIED.0, DENIED.1)?;
        // A command that nothing but the script uses: how far it had come then, nobody says.
        set_user(stage, &["+evalsha", "-pexpire"])?;
        let touched = store.touch("k", Duration::from_secs(3_600)).await;
        fails(touched, ErrorKind::Denied, Outcome::Unknown)?;
        set_user(stage, &["+pexpire", "resetkeys", "~other:*"])?;
        fails(store.put("k", "2").await, DENIED.0, DENIED.1)?;
        fails(store.get("k").await, DENIED.0, DENIED.1)?;
        fails(store.increment("k", 1).await, DENIED.0, DENIED.1)?;
        set_user(stage, &["~*"])?;
        works_again(&store).await?;
        assert_eq!(store.get("k").await?.as_deref(), Some(b"1".as_slice()), "what was refused");
        Ok(())
    })
}
