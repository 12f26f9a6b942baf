//! The driver and TLS, on real servers: whom it trusts and what it shows, on every lane, before any data is touched.

use std::path::Path;

use libtest_mimic::{Failed, Trial};
use state_core::{
    Acks, Error, ErrorKind, Key, Outcome, PutOptions, StateBackend, StateBackendExt, Written,
};
use state_redis::{RedisBackend, RedisConfig, RedisStore, TlsOptions};

use crate::redis_stage::{Play, Stage, fails, open, trial, trial_with, until, works_again};
use crate::servers::{Setup, make_certificates};

type Settings = &'static [(&'static str, &'static str)];

const EXPIRED: Settings = &[("tls-cert-file", "expired.pem"), ("tls-key-file", "expired.key")];
const WRONG_HOST: Settings =
    &[("tls-cert-file", "wrong-host.pem"), ("tls-key-file", "wrong-host.key")];
const NAME: &str = "elsewhere.test";

const UNTRUSTED: &str = "not trusted (tls.ca_file)";
const MISNAMED: &str = "for another name (tls.server_name)";
const REFUSED: &str = "refuses our side of TLS (tls.client_cert_file)";

const PLAYS: [(&str, Settings, Play); 5] = [
    ("an_expired_certificate_is_refused", EXPIRED, expired),
    ("a_certificate_for_another_name_needs_that_name", WRONG_HOST, wrong_host),
    ("other_authorities_and_names_are_refused", &[], strangers),
    ("certificates_that_go_bad_are_refused_on_every_lane", &[], gone_bad),
    ("a_server_that_wants_our_certificate_gets_it_or_says_so", &[], ours),
];

/// The tests on servers with TLS, and one on a server without.
pub fn trials() -> Vec<Trial> {
    let named = |(name, settings, play): (&str, Settings, Play)| {
        trial_with(&format!("tls::{name}"), Setup::Tls, settings, play)
    };
    let mut trials: Vec<Trial> = PLAYS.into_iter().map(named).collect();
    let name = "tls::a_plain_port_is_told_and_never_gets_a_password";
    trials.push(trial(name, Setup::Standalone, plain_port));
    trials.push(Trial::test("tls::the_user_of_this_setup_is_the_documented_one", documented));
    trials
}

fn documented() -> Result<(), Failed> {
    const GUIDE: &str = include_str!("../../docs/guides/operating-redis.md");
    const USERS: &str = include_str!("../../docker/tls/users.acl");
    let user = |text: &'static str| text.lines().find(|line| line.starts_with("user state "));
    let documented = user(GUIDE).ok_or("the guide has no user")?;
    let documented = documented.replace(">PASSWORD ", ">state-test-password ");
    assert_eq!(user(USERS), Some(documented.as_str()));
    Ok(())
}

/// Settings that nothing is late for, with other options of TLS.
fn config(
    stage: &Stage,
    change: impl FnOnce(TlsOptions) -> TlsOptions,
) -> Result<RedisConfig, Failed> {
    let mut config = stage.patient()?;
    let options = config.tls.options().cloned().ok_or("no TLS")?;
    config.tls = change(options).into();
    config.acks_timeout_ms = 50;
    Ok(config)
}

/// What an error must be: of this kind, with these words, without a password and without an effect.
fn is_told<T: std::fmt::Debug>(
    stage: &Stage,
    answer: Result<T, Error>,
    says: &str,
) -> Result<Error, Failed> {
    let error = fails(answer, ErrorKind::Denied, Outcome::NotApplied)?;
    let shown = format!("{error} {error:?}");
    assert!(shown.contains(says), "{shown}");
    let user = stage.servers.user().ok_or("no user")?;
    assert!(!shown.contains(&user.password), "a password was told");
    Ok(error)
}

/// Connecting is refused at once, and nothing is there that was not before.
async fn turned_away(stage: &Stage, config: RedisConfig, says: &str) -> Result<(), Failed> {
    let before = stage.admin(&["DBSIZE"])?;
    let error = is_told(stage, RedisStore::connect_with(config).await, says)?;
    assert_eq!(error.attempts(), 1, "a refused certificate is not tried again");
    assert_eq!(stage.admin(&["DBSIZE"])?, before);
    Ok(())
}

/// A write over a connection of its own.
async fn exclusive(store: &RedisBackend) -> Result<Written, Error> {
    let asking = PutOptions::new().with_acks(Acks::Replicas(1));
    store.put_opts(&Key::from("exclusive"), "1".into(), asking).await
}

/// Every lane works: there is no replica, which only the exclusive lane finds out.
async fn works(store: &RedisBackend) -> Result<(), Failed> {
    works_again(store).await?;
    store.put("large", vec![b'x'; 100_000]).await?;
    fails(exclusive(store).await, ErrorKind::Unacknowledged, Outcome::Applied)?;
    assert!(store.delete("exclusive").await?, "the write was applied");
    Ok(())
}

/// Shows another certificate to whoever connects from now on.
fn show(stage: &Stage, name: &str) -> Result<(), Failed> {
    let (cert, key) = (format!("{name}.pem"), format!("{name}.key"));
    stage.admin(&["CONFIG", "SET", "tls-cert-file", &cert, "tls-key-file", &key])?;
    Ok(())
}

fn expired(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        turned_away(stage, config(stage, |tls| tls)?, UNTRUSTED).await?;
        show(stage, "server")?;
        works(&open(config(stage, |tls| tls)?).await?).await
    })
}

fn wrong_host(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        turned_away(stage, config(stage, |tls| tls)?, MISNAMED).await?;
        works(&open(config(stage, |tls| tls.with_server_name(NAME))?).await?).await
    })
}

fn strangers(stage: &Stage) -> Result<(), Failed> {
    let certificates = stage.servers.certificates().ok_or("no certificates")?;
    stage.run(async {
        let other = |tls: TlsOptions| tls.with_ca_file(&certificates.other_ca);
        turned_away(stage, config(stage, other)?, UNTRUSTED).await?;
        turned_away(stage, config(stage, |tls| tls.with_server_name(NAME))?, MISNAMED).await?;
        works(&open(config(stage, |tls| tls.with_server_name("localhost"))?).await?).await
    })
}

/// The server gets another certificate while the store is open.
fn gone_bad(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        for (name, says) in [("expired", UNTRUSTED), ("wrong-host", MISNAMED)] {
            let store = open(config(stage, |tls| tls)?).await?;
            store.put("k", "2").await?;
            show(stage, name)?;
            // From here on each connection that is made, for whatever reason, is refused.
            is_told(stage, exclusive(&store).await, says)?;
            stage.end_connections(crate::proxy::Ending::Reset);
            // What was on its way when the connections ended is another matter.
            drop(store.get("k").await);
            is_told(stage, store.put("k", "3").await, says)?;
            is_told(stage, store.put("large", vec![b'x'; 100_000]).await, says)?;
            is_told(stage, store.get("k").await, says)?;
            is_told(stage, exclusive(&store).await, says)?;
            show(stage, "server")?;
            // A connection that was begun before may still be refused, and each lane tries again in its own time.
            works_again(&store).await?;
            until("large values go their own way again", || async {
                store.put("large", vec![b'x'; 100_000]).await.ok()
            })
            .await?;
            assert_eq!(store.get("k").await?.as_deref(), Some(b"2".as_slice()), "what was refused");
            assert!(!store.contains("exclusive").await?, "a refused write was applied");
            works(&store).await?;
            store.delete("large").await?;
        }
        Ok(())
    })
}

fn ours(stage: &Stage) -> Result<(), Failed> {
    let certificates = stage.servers.certificates().ok_or("no certificates")?;
    let showing = |cert: &Path, key: &Path| config(stage, |tls| tls.with_client_cert(cert, key));
    stage.run(async {
        let without = open(config(stage, |tls| tls)?).await?;
        without.put("k", "1").await?;
        // From here on the harness is turned away as well.
        stage.admin(&["CONFIG", "SET", "tls-auth-clients", "yes"])?;
        is_told(stage, exclusive(&without).await, REFUSED)?;
        let folder = stage.servers.folder();
        let stranger = showing(&folder.join("stranger.pem"), &folder.join("stranger.key"))?;
        for config in [config(stage, |tls| tls)?, stranger] {
            is_told(stage, RedisStore::connect_with(config).await, REFUSED)?;
        }
        let store = open(showing(&certificates.client, &certificates.client_key)?).await?;
        assert_eq!(store.list_keys("").await?, [Key::from("k")], "what was refused");
        works(&store).await
    })
}

/// Nothing but a question whether it speaks the protocol goes to a server without TLS.
fn plain_port(stage: &Stage) -> Result<(), Failed> {
    let folder = stage.servers.folder();
    make_certificates(folder)?;
    stage.run(async {
        let address = stage.servers.node(0)?.address();
        let file = folder.join("ca.pem").display().to_string();
        let url = format!("rediss://default:never-told-71@{address}?tls_ca_file={file}");
        let before = stage.counts();
        let store = RedisStore::connect(&url).await;
        let error = fails(store, ErrorKind::Invalid, Outcome::NotApplied)?;
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("the port does not speak TLS"), "{shown}");
        assert!(!shown.contains("never-told"), "a password was told");
        let sent: Vec<_> =
            stage.counts().iter().zip(&before).map(|(now, b)| now.since(b)).collect();
        assert!(sent.iter().all(|sent| sent.count("AUTH") + sent.count("HELLO") == 0), "{sent:?}");
        Ok(())
    })
}
