//! What the driver does on a server beside reading and writing: scripts, following changes, ending late writes.

use super::finding::{Finding, Level, Subject};
use super::look::{Server, Unknown};
use super::permissions::permitted;
use super::rules::{Group, NO_SCRIPTS};

pub(super) fn judge(server: &Server) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(ran) = &server.script {
        match ran {
            // What is denied of it is told among the permissions.
            Ok(()) if permitted(&server.permits, Group::Scripts) != Some(false) => {
                let means = "preconditions, fences, counters, transactions and leases work";
                findings.push(Finding::ok(Subject::Scripts, "a script ran", means));
            }
            Err(unknown) if permitted(&server.permits, Group::Scripts) != Some(false) => {
                findings.push(of_script(unknown));
            }
            _ => {}
        }
    }
    let goes = |group| permitted(&server.permits, group) == Some(true);
    if goes(Group::Tracking) {
        let means = "changes can be followed: `watch` works";
        findings.push(Finding::ok(Subject::Tracking, "`CLIENT TRACKING` is permitted", means));
    }
    if goes(Group::Kill) {
        let means = "a plain write whose reply was lost is ended on the server and sent again";
        findings.push(Finding::ok(Subject::Kill, "`CLIENT KILL` is permitted", means));
    }
    findings
}

fn of_script(unknown: &Unknown) -> Finding {
    let (found, fix) = match unknown {
        Unknown::Denied => {
            let fix =
                "permit the user what the script sends: `TIME` and `HMGET`, under the key prefix";
            ("a script, or a command in it, is denied to this user".to_owned(), fix)
        }
        Unknown::Lacking => {
            let fix = "use Redis 7.0 or later, or Valkey, and allow scripts";
            ("the server runs no scripts".to_owned(), fix)
        }
        Unknown::Failed(why) => (format!("no script could be run: {why}"), "see its log"),
    };
    Finding::new(Subject::Scripts, Level::Problem, found, NO_SCRIPTS).with_fix(fix)
}
