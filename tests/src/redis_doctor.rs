//! Checking a deployment on real servers: each thing that can be wrong is made so, found, mended, and not found any more.

mod copies;
mod settings;
mod users;

use libtest_mimic::{Failed, Trial};
use state_redis::{Finding, Level, RedisConfig, RedisStore, Subject};

use crate::redis_stage::runtime;
use crate::servers::{Running, Servers, Setup};

type Check = fn(&Running) -> Result<(), Failed>;
type Settings = &'static [(&'static str, &'static str)];

/// Saving fails because a folder has the name of the file.
const CANNOT_SAVE: Settings = &[("dbfilename", "appendonlydir")];

/// The tests for a setup, each on servers of its own.
pub fn trials(setup: Setup) -> Vec<Trial> {
    let checks: &[(&str, Settings, Check)] = match setup {
        Setup::Standalone | Setup::Valkey => &[
            ("a_plain_server_has_no_problem_and_is_left_as_it_is", &[], settings::plain),
            ("what_a_server_removes_or_does_not_keep_is_found", CANNOT_SAVE, settings::kept),
            ("what_a_user_lacks_is_found_with_the_line_that_grants_it", &[], users::lacking),
            ("what_a_user_has_too_much_of_is_found_where_it_may_ask", &[], users::broad),
        ],
        Setup::Replica => {
            &[("replicas_that_are_behind_or_missing_are_found", &[], copies::replicas)]
        }
        Setup::Sentinel => &[("sentinels_that_cannot_agree_are_found", &[], copies::sentinels)],
        Setup::Cluster => &[("slots_and_primaries_without_cover_are_found", &[], copies::cluster)],
        Setup::Tls => &[("the_documented_user_over_tls_lacks_nothing", &[], users::documented)],
    };
    // What they do to servers cannot be asked of servers that were given.
    let given = std::env::var_os("STATE_REDIS_URL").is_some();
    let trial = |(name, settings, check): &(&str, Settings, Check)| {
        let (settings, check): (Settings, Check) = (settings, *check);
        let run = move || {
            let servers = Servers::new(setup);
            let add =
                |servers: Servers, (name, value): &(&str, &str)| servers.with_setting(name, value);
            check(&settings.iter().fold(servers, add).run()?)
        };
        Trial::test(format!("doctor::{name}"), run).with_ignored_flag(given)
    };
    checks.iter().map(trial).collect()
}

/// What was found with these settings.
fn diagnose_with(config: RedisConfig) -> Result<Findings, Failed> {
    Ok(Findings(runtime(1)?.block_on(RedisStore::diagnose_with(config))?))
}

fn diagnose(running: &Running) -> Result<Findings, Failed> {
    diagnose_with(RedisConfig::from_url(running.url())?)
}

/// What one look has found.
#[derive(Debug)]
struct Findings(Vec<Finding>);

impl Findings {
    /// The worst of a subject.
    fn worst(&self, subject: Subject) -> Result<&Finding, Failed> {
        // They come worst first.
        let found = self.0.iter().find(|finding| finding.subject == subject);
        found.ok_or_else(|| format!("nothing is said of {subject}: {self:#?}").into())
    }

    /// Makes sure how bad a subject is, and that what was found of it says these words somewhere.
    fn is(&self, subject: Subject, level: Level, words: &str) -> Result<&Finding, Failed> {
        let worst = self.worst(subject)?;
        if worst.level == level {
            let mut all = self.0.iter().filter(|one| one.subject == subject && one.level == level);
            let says = |one: &&Finding| {
                [&one.found, &one.means, &one.fix].iter().any(|text| text.contains(words))
            };
            if let Some(finding) = all.find(says) {
                return Ok(finding);
            }
        }
        Err(format!("{subject} is not {level} with `{words}`: {self:#?}").into())
    }

    /// What is worse than a level.
    fn above(&self, level: Level) -> Vec<&Finding> {
        self.0.iter().filter(|finding| finding.level > level).collect()
    }
}

/// Makes sure that the sentences are sentences.
fn are_told_well(findings: &Findings) {
    for finding in &findings.0 {
        for text in [&finding.found, &finding.means] {
            assert!(
                !text.is_empty() && !text.ends_with('.') && !text.contains('\n'),
                "{finding:?}"
            );
        }
        assert!(finding.level < Level::Warning || !finding.fix.is_empty(), "{finding:?}");
    }
}
