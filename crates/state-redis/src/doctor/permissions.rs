//! Whether the user may do all that the driver does.

use super::finding::{Finding, Level, Subject};
use super::look::{Permit, Server, Told, Unknown};
use super::rules::{Group, RULES, Rule, channels, escaped};
use crate::config::RedisConfig;

pub(super) fn judge(server: &Server, config: &RedisConfig) -> Vec<Finding> {
    let user = server.user_name(config);
    match &server.permits {
        Ok(permits) => of_permits(permits, &user, &config.key_prefix),
        // That it does not answer is told already.
        Err(Unknown::Failed(_)) if server.info.is_err() => Vec::new(),
        Err(unknown) => {
            let why = match unknown {
                Unknown::Failed(why) => why.as_str(),
                _ => "a connection with RESP3 is refused",
            };
            let means =
                "whether all commands are permitted is not known, and changes cannot be followed";
            let finding = Finding::new(
                Subject::Permissions,
                Level::Warning,
                format!("not known: no connection for the trials could be used: {why}"),
                means,
            );
            vec![finding.with_fix("see whether the server, or what stands before it, speaks RESP3")]
        }
    }
}

/// The findings of groups, in the order of the rules.
fn of_permits(permits: &[(&'static Rule, Permit)], user: &str, prefix: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(out_of_reach(permits, user, prefix));
    for permit in [Permit::Command, Permit::Lacking] {
        let mut groups: Vec<(Group, Vec<&'static str>)> = Vec::new();
        for (rule, _) in permits.iter().filter(|(_, said)| *said == permit) {
            match groups.iter_mut().find(|(group, _)| *group == rule.group) {
                Some((_, commands)) => commands.push(rule.command),
                None => groups.push((rule.group, vec![rule.command])),
            }
        }
        for (group, commands) in groups {
            // What of it could not be tried is needed as well.
            let tried = |rule: &Rule| permits.iter().any(|(one, _)| one.command == rule.command);
            let untried = RULES.iter().filter(|rule| rule.group == group && !tried(rule));
            let untried = untried.map(|rule| rule.command).collect::<Vec<_>>();
            findings.push(without(group, &commands, &untried, permit, user));
        }
    }
    if !findings.iter().any(|finding| finding.subject == Subject::Permissions) {
        let found = "the user may send all that the driver sends";
        let means = "no call fails with `Denied`";
        findings.push(Finding::ok(Subject::Permissions, found, means));
    }
    findings
}

/// What a group is missing, under its own subject.
fn without(
    group: Group,
    commands: &[&str],
    untried: &[&str],
    permit: Permit,
    user: &str,
) -> Finding {
    let (level, subject, means) = group.without();
    let names: Vec<String> = commands.iter().map(|name| format!("`{name}`")).collect();
    let names = names.join(", ");
    let (found, fix) = if permit == Permit::Lacking {
        let fix = "use a server that knows it, and do not rename commands: deny them by ACL";
        (format!("the server lacks {names}"), fix.to_owned())
    } else {
        let grants: Vec<String> =
            commands.iter().chain(untried).map(|name| format!("+{name}")).collect();
        (
            format!("denied to this user: {names}"),
            format!("`ACL SETUSER {user} {}`", grants.join(" ")),
        )
    };
    Finding::new(subject, level, found, means).with_fix(fix)
}

/// That keys or channels under the prefix are not the user's.
fn out_of_reach(permits: &[(&'static Rule, Permit)], user: &str, prefix: &str) -> Vec<Finding> {
    let any = |wanted: Permit| permits.iter().any(|(_, permit)| *permit == wanted);
    let prefix = escaped(prefix);
    let mut findings = Vec::new();
    if any(Permit::Key) {
        let found = format!("keys that begin with `{prefix}:` are denied to this user");
        let means = "every call fails with `Denied`";
        let fix = format!("`ACL SETUSER {user} ~{prefix}:*`, or mend `key_prefix`");
        let finding = Finding::new(Subject::Permissions, Level::Problem, found, means);
        findings.push(finding.with_fix(fix));
    }
    if any(Permit::Channel) {
        let found = format!("channels that begin with `{prefix}:` are denied to this user");
        let means = "`publish` and `subscribe` of users' own messages fail";
        let fix = format!("`ACL SETUSER {user} &{}`", channels(&prefix));
        let finding = Finding::new(Subject::Permissions, Level::Note, found, means);
        findings.push(finding.with_fix(fix));
    }
    findings
}

/// Whether the rules of a group were tried and all are permitted.
pub(super) fn permitted(
    permits: &Told<Vec<(&'static Rule, Permit)>>,
    group: Group,
) -> Option<bool> {
    let permits = permits.as_ref().ok()?;
    let mut tried = permits.iter().filter(|(rule, _)| rule.group == group).peekable();
    tried.peek()?;
    Some(tried.all(|(_, permit)| *permit == Permit::Yes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(refused: &[(&str, Permit)]) -> Vec<Finding> {
        let permit = |rule: &'static Rule| {
            let refused = refused.iter().find(|(command, _)| *command == rule.command);
            (rule, refused.map_or(Permit::Yes, |(_, permit)| *permit))
        };
        let permits: Vec<_> = RULES.iter().map(permit).collect();
        of_permits(&permits, "state", "my app")
    }

    #[test]
    fn what_is_denied_is_told_by_what_it_is_for_with_the_line_that_grants_it() {
        assert!(matches!(&told(&[])[..], [one] if one.level == Level::Ok));
        let denied = |name| (name, Permit::Command);
        let findings =
            told(&[denied("zadd"), denied("zrem"), denied("get"), denied("client|kill")]);
        let lines: Vec<_> = findings.iter().map(|one| (one.level, one.fix.as_str())).collect();
        assert_eq!(
            lines,
            [
                (Level::Warning, "`ACL SETUSER state +client|kill`"),
                (Level::Problem, "`ACL SETUSER state +get`"),
                (Level::Note, "`ACL SETUSER state +zadd +zrem`"),
            ]
        );
        // What has a check of its own is not among the permissions.
        let only_kill = told(&[denied("client|kill")]);
        let subjects: Vec<_> = only_kill.iter().map(|one| one.subject).collect();
        assert_eq!(subjects, [Subject::Kill, Subject::Permissions]);
    }

    #[test]
    fn keys_channels_and_commands_that_are_not_there_are_told_apart() {
        let keys = told(&[("get", Permit::Key), ("set", Permit::Key)]);
        assert!(matches!(&keys[..], [one] if one.fix.contains("~my%20app:*")), "{keys:?}");
        let channels = told(&[("publish", Permit::Channel)]);
        assert!(matches!(&channels[..], [one] if one.fix.contains("&my%20app:*")), "{channels:?}");
        let lacking = told(&[("client|tracking", Permit::Lacking)]);
        assert_eq!(lacking[0].subject, Subject::Tracking);
        assert!(lacking[0].found.contains("lacks"), "{lacking:?}");
    }
}
