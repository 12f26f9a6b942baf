//! Who gets in, and whether the user may do more than it needs.

use redis::Value;

use super::finding::{Finding, Level, Subject};
use super::look::{Server, Told, Unknown};
use super::rules::{RULES, documented, escaped};
use crate::config::RedisConfig;

/// How many commands are named of those that are permitted without need.
const NAMED_MAX: usize = 8;

/// The rights of a user, as `ACL GETUSER` tells them. What it tells of passwords is not read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Rights {
    commands: Vec<String>,
    keys: Vec<String>,
    channels: Vec<String>,
    /// Whether there are further sets of rights.
    selectors: bool,
}

impl Rights {
    pub(super) fn read(answer: &Value) -> Self {
        let of = |name: &str| field(answer, name);
        let words = |name: &str| match of(name) {
            // Up to 6.2 a list, from 7.0 on a text.
            Some(Value::Array(items) | Value::Set(items)) => items.iter().map(text).collect(),
            Some(value) => text(value).split_ascii_whitespace().map(str::to_owned).collect(),
            None => Vec::new(),
        };
        let selectors = matches!(of("selectors"), Some(Value::Array(items)) if !items.is_empty());
        Self {
            commands: words("commands"),
            keys: words("keys"),
            channels: words("channels"),
            selectors,
        }
    }

    /// Whether it may send every command that is not taken away again.
    fn is_all(&self) -> bool {
        self.commands.iter().any(|rule| matches!(rule.as_str(), "+@all" | "allcommands"))
    }

    /// The grants that are not documented.
    fn beyond(&self) -> Vec<&str> {
        let grants = self.commands.iter().filter_map(|rule| rule.strip_prefix('+'));
        grants.filter(|grant| !RULES.iter().any(|rule| rule.command == *grant)).collect()
    }

    /// The patterns of keys that lead beyond the prefix.
    fn foreign_keys(&self, prefix: &str) -> Vec<&str> {
        let own = format!("{}:", escaped(prefix));
        let is_own = |pattern: &str| {
            // `~pattern`, or `%RW~pattern`; up to 6.2 the pattern alone.
            let (_, bare) = pattern.split_once('~').unwrap_or(("", pattern));
            bare.starts_with(&own)
        };
        self.keys.iter().map(String::as_str).filter(|pattern| !is_own(pattern)).collect()
    }
}

/// The value after `name` in a map, or in a list of names and values.
fn field<'v>(answer: &'v Value, name: &str) -> Option<&'v Value> {
    match answer {
        Value::Map(pairs) => {
            pairs.iter().find_map(|(key, value)| (text(key) == name).then_some(value))
        }
        Value::Array(items) => {
            let mut pairs = items.chunks_exact(2);
            pairs.find_map(|pair| match pair {
                [key, value] if text(key) == name => Some(value),
                _ => None,
            })
        }
        _ => None,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::BulkString(text) => String::from_utf8_lossy(text).into_owned(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.clone(),
        _ => String::new(),
    }
}

impl Server {
    /// The user to name in a line that mends something: who was logged in, or who should have been.
    pub(super) fn user_name(&self, config: &RedisConfig) -> String {
        let given = || config.username.clone().unwrap_or_else(|| "default".to_owned());
        self.user.clone().unwrap_or_else(|_| given())
    }
}

pub(super) fn judge(server: &Server, config: &RedisConfig) -> Vec<Finding> {
    // That it does not answer is told already.
    if matches!(server.info, Err(Unknown::Failed(_))) {
        return Vec::new();
    }
    vec![login(server, config), breadth(server, config)]
}

fn login(server: &Server, config: &RedisConfig) -> Finding {
    let named = || match &server.user {
        Ok(name) => format!("logged in as `{name}`"),
        Err(unknown) => format!("logged in; the name is {}", unknown.of_command("ACL WHOAMI")),
    };
    match &server.open {
        Ok(false) => {
            let found = format!("{}, and nobody gets in without a login", named());
            Finding::ok(Subject::Login, found, "the password protects what is stored")
        }
        Ok(true) => {
            let found = "whoever reaches the server gets in without a password";
            let means = "anybody there can read, change and remove what is stored";
            let level = if server.is_local { Level::Warning } else { Level::Problem };
            let line = documented("state", &config.key_prefix);
            let fix = format!("`ACL SETUSER {line}`, use it, then `ACL SETUSER default off`");
            Finding::new(Subject::Login, level, found, means).with_fix(fix)
        }
        Err(unknown) => {
            let why = unknown.of_command("PING");
            let found = format!("{}; whether others get in without a login is {why}", named());
            Finding::new(Subject::Login, Level::Note, found, "it could not be tried")
        }
    }
}

fn breadth(server: &Server, config: &RedisConfig) -> Finding {
    let asked = if server.user.is_err() { "ACL WHOAMI" } else { "ACL GETUSER" };
    let name = server.user_name(config);
    let finding = of_rights(&server.rights, asked, &name, &config.key_prefix);
    if finding.level > Level::Note && name == "default" && server.open == Ok(true) {
        // One user mends both.
        return finding.with_fix("use the user that mends the login");
    }
    finding
}

fn of_rights(rights: &Told<Rights>, asked: &str, name: &str, prefix: &str) -> Finding {
    let rights = match rights {
        Ok(rights) => rights,
        Err(unknown) => {
            let found = unknown.of_command(asked);
            let means = "the documented user may not ask, either: who may not has no administrator's rights";
            let level = if *unknown == Unknown::Denied { Level::Ok } else { Level::Note };
            return Finding::new(Subject::Breadth, level, found, means);
        }
    };
    let fix = format!("`ACL SETUSER {}`", documented(&fresh(name), prefix));
    if rights.is_all() {
        let found = format!("the user `{name}` may send every command");
        let means = "a mistake, or whoever has its password, can empty the server, change it and read everything";
        return Finding::new(Subject::Breadth, Level::Warning, found, means)
            .with_fix(format!("{fix}, and use that one"));
    }
    let (beyond, foreign) = (rights.beyond(), rights.foreign_keys(prefix));
    let mut more: Vec<String> = Vec::new();
    if !beyond.is_empty() {
        let named: Vec<String> =
            beyond.iter().take(NAMED_MAX).map(|name| format!("`{name}`")).collect();
        let rest = beyond.len().saturating_sub(NAMED_MAX);
        let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        more.push(format!("commands: {}{rest}", named.join(", ")));
    }
    if !foreign.is_empty() {
        let named: Vec<String> =
            foreign.iter().take(NAMED_MAX).map(|name| format!("`{name}`")).collect();
        more.push(format!("keys: {}", named.join(", ")));
    }
    if rights.selectors {
        more.push("selectors, which were not looked into".to_owned());
    }
    if more.is_empty() {
        let found = format!("the user `{name}` may do what the driver needs, and no more");
        return Finding::ok(Subject::Breadth, found, "it can harm nothing outside its prefix");
    }
    let found = format!("the user `{name}` may do more than the driver needs: {}", more.join("; "));
    let means = "a mistake, or whoever has its password, reaches that as well";
    Finding::new(Subject::Breadth, Level::Note, found, means).with_fix(fix)
}

/// The user that has everything stays as it is; another one is made.
fn fresh(name: &str) -> String {
    if name == "default" { "state".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn rights(commands: &str, keys: &str) -> Rights {
        Rights::read(&Value::Map(vec![
            (bulk("passwords"), Value::Array(vec![bulk("5e884898")])),
            (bulk("commands"), bulk(commands)),
            (bulk("keys"), bulk(keys)),
            (bulk("channels"), bulk("&state:*")),
            (bulk("selectors"), Value::Array(Vec::new())),
        ]))
    }

    #[test]
    fn rights_are_read_from_maps_and_lists_and_passwords_are_left_out() {
        let read = rights("-@all +get", "~state:*");
        assert_eq!(read.commands, ["-@all", "+get"]);
        assert!(!format!("{read:?}").contains("5e88"));
        let list = Value::Array(vec![
            bulk("commands"),
            bulk("+@all"),
            bulk("keys"),
            Value::Array(vec![bulk("*")]),
        ]);
        assert!(Rights::read(&list).is_all());
        assert_eq!(Rights::read(&list).foreign_keys("state"), ["*"]);
        assert_eq!(Rights::read(&Value::Nil), Rights::default());
    }

    #[test]
    fn more_than_is_needed_is_told() {
        let told = |rights| of_rights(&Ok(rights), "ACL GETUSER", "state", "state");
        let line = documented("state", "state");
        let needed = line.split_once("-@all").unwrap().1;
        let minimal = told(rights(&format!("-@all{needed} +waitaof +rename"), "~state:*"));
        assert_eq!(minimal.level, Level::Ok, "{minimal:?}");
        let all = told(rights("+@all", "~*"));
        assert!(all.level == Level::Warning && all.fix.contains(&line), "{all:?}");
        let extra = told(rights(&format!("-@all{needed} +config|get +keys"), "~state:* ~other:*"));
        assert_eq!(extra.level, Level::Note);
        for named in ["`config|get`", "`keys`", "`~other:*`"] {
            assert!(extra.found.contains(named), "{extra:?}");
        }
        let denied = of_rights(&Err(Unknown::Denied), "ACL WHOAMI", "state", "state");
        assert!(denied.level == Level::Ok && denied.found.contains("ACL WHOAMI"), "{denied:?}");
    }
}
