//! The keys of a thread as the server sees them.

use std::collections::BTreeMap;

use libtest_mimic::Failed;

use crate::redis_stage::Stage;

/// Each key of a thread, by its part, with the time of its end in Unix milliseconds, -1 without one.
pub(super) fn ends(stage: &Stage, thread: &str) -> Result<BTreeMap<String, i64>, Failed> {
    let start = format!("state:default:t:{{{thread}}}");
    let mut ends = BTreeMap::new();
    for key in stage.admin(&["KEYS", &format!("{start}*")])?.items() {
        let key = key.text();
        let end = stage.admin(&["PEXPIRETIME", &key])?.text().parse()?;
        let part = key.strip_prefix(&start).ok_or("a key of another thread")?;
        ends.insert(part.to_owned(), end);
    }
    Ok(ends)
}

/// Has all keys of a thread end in so many milliseconds, on whichever server they are.
pub(super) fn end_in(stage: &Stage, thread: &str, ms: u64) -> Result<(), Failed> {
    for place in stage.servers.primaries() {
        let pattern = format!("state:default:t:{{{thread}}}*");
        for key in stage.servers.admin(place, &["KEYS", &pattern])?.ok()?.items() {
            stage.servers.admin(place, &["PEXPIRE", &key.text(), &ms.to_string()])?.ok()?;
        }
    }
    Ok(())
}

/// All keys that there are.
pub(super) fn all(stage: &Stage) -> Result<Vec<String>, Failed> {
    let keys = stage.admin(&["KEYS", "*"])?;
    let mut keys: Vec<String> = keys.items().iter().map(crate::servers::Reply::text).collect();
    keys.sort();
    Ok(keys)
}

/// What the server holds, in a number, without the ends of its keys.
pub(super) fn digest(stage: &Stage) -> Result<String, Failed> {
    Ok(stage.admin(&["DEBUG", "DIGEST"])?.text())
}

/// The time of the server in Unix milliseconds.
pub(super) fn now_ms(stage: &Stage) -> Result<i64, Failed> {
    let time = stage.admin(&["TIME"])?;
    let [s, us] = time.items() else { return Err("no time".into()) };
    Ok(s.text().parse::<i64>()? * 1_000 + us.text().parse::<i64>()? / 1_000)
}
