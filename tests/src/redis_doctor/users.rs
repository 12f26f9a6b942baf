//! What users may do: too little, too much, and what is documented.

use libtest_mimic::Failed;
use state_redis::Level::{Note, Ok as Fine, Problem, Warning};
use state_redis::{Level, RedisConfig, Subject};

use super::{Findings, are_told_well, diagnose, diagnose_with};
use crate::servers::{Reply, Running};

const GUIDE: &str = include_str!("../../../docs/guides/operating-redis.md");

/// The rules of the documented user, and beside them what threads need.
fn documented_rules() -> Result<Vec<&'static str>, Failed> {
    let line = GUIDE.lines().find_map(|line| line.strip_prefix("user state on >PASSWORD "));
    let threads = GUIDE.lines().find(|line| line.starts_with("+hsetnx "));
    let line = line.ok_or("the guide has no user")?;
    let threads = threads.ok_or("the guide has no rules for threads")?;
    Ok(line.split(' ').chain(threads.split(' ')).collect())
}

/// Makes a user with these rules behind the documented ones, and looks as that user.
fn look_as(running: &Running, name: &str, changes: &[&str]) -> Result<Findings, Failed> {
    let mut words = vec!["ACL", "SETUSER", name, "on", ">secret-71"];
    words.extend(documented_rules()?);
    words.extend(changes);
    running.admin(0, &words)?.ok()?;
    let mut config = RedisConfig::from_url(running.url())?;
    (config.username, config.password) = (Some(name.to_owned()), Some("secret-71".into()));
    let findings = diagnose_with(config)?;
    are_told_well(&findings);
    assert!(!format!("{findings:?}").contains("secret-71"), "a password is told");
    Ok(findings)
}

pub(super) fn lacking(running: &Running) -> Result<(), Failed> {
    let whole = look_as(running, "whole", &[])?;
    for subject in [Subject::Permissions, Subject::Scripts, Subject::Tracking, Subject::Kill] {
        whole.is(subject, Fine, "")?;
    }
    whole.is(Subject::Breadth, Fine, "`ACL WHOAMI` is denied to this user")?;
    let cases: [(&str, &[&str], Subject, Level); 10] = [
        ("client|kill", &[], Subject::Kill, Warning),
        ("client|tracking", &[], Subject::Tracking, Warning),
        ("evalsha", &[], Subject::Scripts, Problem),
        ("get", &[], Subject::Permissions, Problem),
        ("hset", &[], Subject::Permissions, Problem),
        ("scan", &[], Subject::Permissions, Problem),
        ("wait", &[], Subject::Permissions, Warning),
        ("xadd", &[], Subject::Permissions, Note),
        ("rename", &[], Subject::Permissions, Note),
        ("role", &[], Subject::Permissions, Warning),
    ];
    for (command, more, subject, level) in cases {
        let denial = format!("-{command}");
        let changes = [&[denial.as_str()], more].concat();
        // A name with the words that tell refusals apart.
        let findings = look_as(running, "channel-key", &changes)?;
        let finding = findings.is(subject, level, command)?;
        // Beside it only what threads need and cannot be tried.
        let fix = finding.fix.replace(" +hsetnx", "");
        assert_eq!(fix, format!("`ACL SETUSER channel-key +{command}`"));
    }
    for (changes, level, fix) in [
        (["resetkeys", "~other:*"], Problem, "ACL SETUSER narrow ~state:*"),
        (["resetchannels", "&other:*"], Note, "ACL SETUSER narrow &state:*"),
    ] {
        look_as(running, "narrow", &changes)?.is(Subject::Permissions, level, fix)?;
    }
    let blind = look_as(running, "blind", &["-info"])?;
    blind.is(Subject::Permissions, Problem, "+info")?;
    blind.is(Subject::Version, Note, "`INFO` is denied to this user")?;
    blind.is(Subject::Scripts, Fine, "")?;
    // The tries of all users have written nothing.
    assert_eq!(running.admin(0, &["DBSIZE"])?, Reply::Integer(0));
    Ok(())
}

pub(super) fn broad(running: &Running) -> Result<(), Failed> {
    let asks = ["+acl|whoami", "+acl|getuser"];
    let more = look_as(running, "more", &[&asks[..], &["+config|get", "~other:*"]].concat())?;
    let finding = more.is(Subject::Breadth, Note, "`config|get`")?;
    assert!(finding.found.contains("`~other:*`"), "{finding:?}");
    assert!(finding.fix.starts_with("`ACL SETUSER more on >PASSWORD resetkeys "), "{finding:?}");
    let all = look_as(running, "all", &["+@all"])?;
    all.is(Subject::Breadth, Warning, "the user `all` may send every command")?;
    let who = look_as(running, "who", &["+acl|whoami"])?;
    who.is(Subject::Breadth, Fine, "`ACL GETUSER` is denied to this user")?;
    // Who is logged in helps nothing where the default user has no password.
    who.is(Subject::Login, Warning, "without a password")?;
    Ok(())
}

pub(super) fn documented(running: &Running) -> Result<(), Failed> {
    let findings = diagnose(running)?;
    are_told_well(&findings);
    assert_eq!(findings.above(Warning).len(), 0);
    for subject in [
        Subject::Encryption,
        Subject::Login,
        Subject::Breadth,
        Subject::Scripts,
        Subject::Tracking,
        Subject::Kill,
    ] {
        findings.is(subject, Fine, "")?;
    }
    // It has what everybody needs, and not what threads need beside it.
    let finding = findings.is(Subject::Permissions, Note, "threads of checkpoints")?;
    assert!(finding.found.contains("`zscore`"), "{finding:?}");
    // What it may not ask is told, and refused to it; nothing else was.
    let log = running.admin(0, &["ACL", "LOG"])?.ok()?;
    let refused: Vec<String> = log.items().iter().filter_map(|one| one.field("object")).collect();
    assert!(refused.iter().any(|object| object == "acl|whoami"), "{refused:?}");
    assert!(!refused.iter().any(|object| object.contains("config")), "{refused:?}");

    let user = running.user().ok_or("no user")?;
    let login = format!("state:{}@", user.password);
    let url = running.url().replace(&login, "admin:admin-test-password@");
    let admin = diagnose_with(RedisConfig::from_url(&url)?)?;
    admin.is(Subject::Breadth, Warning, "the user `admin` may send every command")?;
    admin.is(Subject::Login, Fine, "logged in as `admin`")?;
    admin.is(Subject::Permissions, Fine, "")?;
    Ok(())
}
