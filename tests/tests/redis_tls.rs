//! Tests on a Redis server with TLS and users.

mod harness;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Failed;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use state_tests::servers::{Reply, Running, Servers, Setup};
use state_tests::{redis_doctor, redis_messages, redis_tls, redis_watch};

fn main() -> ExitCode {
    let given = std::env::var_os("STATE_REDIS_URL").is_some();
    let mut trials = harness::trials(Setup::Tls);
    for (name, check) in [
        ("harness::only_its_own_authority_is_trusted", trust as fn() -> Result<(), Failed>),
        ("harness::bad_certificates_are_shown_when_asked_for", show_bad_certificates),
        ("harness::the_user_may_use_its_own_keys_and_no_others", keep_to_own_keys),
    ] {
        trials.push(harness::trial(name, check).with_ignored_flag(given));
    }
    trials.extend(redis_tls::trials());
    trials.extend(redis_doctor::trials(Setup::Tls));
    trials.extend(redis_messages::trials(Setup::Tls));
    trials.extend(redis_watch::trials(Setup::Tls));
    harness::run(Setup::Tls, trials)
}

/// Connects as a client that trusts `ca` only; returns the first reply.
fn converse(running: &Running, ca: &Path, words: &str) -> Result<String, Failed> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca)? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let address = running.node(0)?.address();
    let client =
        ClientConnection::new(Arc::new(config), ServerName::IpAddress(address.ip().into()))?;
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut stream = StreamOwned::new(client, socket);
    stream.write_all(format!("{words}\r\n").as_bytes())?;
    let mut reply = [0; 64];
    let length = stream.read(&mut reply)?;
    Ok(String::from_utf8_lossy(reply.get(..length).unwrap_or_default()).into_owned())
}

fn trust() -> Result<(), Failed> {
    let running = Servers::start(Setup::Tls)?;
    let certificates = running.certificates().ok_or("no certificates")?;
    let reply = converse(&running, &certificates.ca, "PING")?;
    assert!(reply.starts_with("-NOAUTH"), "{reply}");
    let answer = converse(&running, &certificates.other_ca, "PING");
    let error = answer.err().ok_or("a foreign certificate is trusted")?;
    assert!(error.message().unwrap_or_default().contains("UnknownIssuer"), "{error:?}");
    Ok(())
}

fn show_bad_certificates() -> Result<(), Failed> {
    for (name, complaint) in [("expired", "xpired"), ("wrong-host", "not valid for name")] {
        let running = Servers::new(Setup::Tls)
            .with_setting("tls-cert-file", &format!("{name}.pem"))
            .with_setting("tls-key-file", &format!("{name}.key"))
            .run()?;
        let certificates = running.certificates().ok_or("no certificates")?;
        let answer = converse(&running, &certificates.ca, "PING");
        let error = answer.err().ok_or("a bad certificate is trusted")?;
        assert!(error.message().unwrap_or_default().contains(complaint), "{name}: {error:?}");
    }
    Ok(())
}

fn keep_to_own_keys() -> Result<(), Failed> {
    let running = Servers::start(Setup::Tls)?;
    let user = running.user().and_then(|user| user.user.as_deref()).ok_or("no user")?;
    let mut tries = vec![
        (vec!["SET", "state:a", "1"], true),
        (vec!["SET", "other:a", "1"], false),
        (vec!["EVALSHA", "0", "1", "state:a"], true),
        (vec!["EVAL", "return 1", "1", "state:a"], false),
        (vec!["PUBLISH", "state:news", "1"], true),
        (vec!["PUBLISH", "other:news", "1"], false),
        (vec!["CLIENT", "KILL", "ID", "1"], true),
    ];
    for words in [["FLUSHALL", ""], ["KEYS", "*"], ["ACL", "LIST"], ["DEBUG", "RELOAD"]] {
        tries.push((words.into_iter().filter(|word| !word.is_empty()).collect(), false));
    }
    for (words, allowed) in tries {
        let command = [&["ACL", "DRYRUN", user], words.as_slice()].concat();
        let reply = running.admin(0, &command)?;
        assert_eq!(reply == Reply::Status("OK".to_owned()), allowed, "{words:?}: {reply:?}");
    }
    Ok(())
}
