//! The compose files in `docker/`: each has the shape that `up --wait` and the tests rely on.

use super::tree::{Tree, Violation};

pub(crate) const WHAT: &str = "services of docker/*/compose.yaml name an image that can be replaced, tell when they are ready, \
                               listen on the loopback interface only and wait for services that exist";

const PAGE: &str = "docker/README.md";
const IMAGES: [&str; 2] = ["${STATE_REDIS_IMAGE:-", "${STATE_VALKEY_IMAGE:-"];
const LOOPBACK: &str = "127.0.0.1";

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    let files = tree.texts("/compose.yaml").filter(|(path, _)| path.starts_with("docker/"));
    for (path, text) in files {
        let mut tell = |line, message: String| violations.push(Violation::at(path, line, message));
        let services = read(text, &mut tell);
        if services.is_empty() {
            tell(1, "has no services".to_owned());
        }
        for service in &services {
            check_service(service, &services, &mut tell);
        }
        let link = path.trim_start_matches("docker/");
        if !tree.text(PAGE).is_some_and(|page| page.contains(&format!("({link})"))) {
            tell(1, format!("{PAGE} does not name it"));
        }
    }
    violations
}

/// A service, and the lines below its name.
#[derive(Debug)]
struct Service<'t> {
    name: &'t str,
    line: usize,
    lines: Vec<(usize, &'t str)>,
}

impl<'t> Service<'t> {
    /// The value of a key, and everything that is indented below it, as one text.
    fn value(&self, key: &str) -> Option<String> {
        let mut value: Option<String> = None;
        for (_, line) in &self.lines {
            let depth = depth(line);
            match &mut value {
                None if depth == 4 => value = after(line.trim(), key).map(str::to_owned),
                None => {}
                Some(_) if depth <= 4 => break,
                Some(value) => {
                    value.push('\n');
                    value.push_str(line.trim());
                }
            }
        }
        value
    }

    /// The services that it waits for, each with the line that says so.
    fn waits_for(&self) -> Vec<(usize, &'t str)> {
        let lines = self.lines.iter().skip_while(|(_, line)| line.trim() != "depends_on:").skip(1);
        let lines = lines.take_while(|(_, line)| depth(line) > 4);
        lines.filter_map(|(number, line)| Some((*number, line.trim().split_once(':')?.0))).collect()
    }
}

/// Reads the part of YAML that these files are written in: maps by indentation, lists in brackets on one line.
fn read<'t>(text: &'t str, tell: &mut impl FnMut(usize, String)) -> Vec<Service<'t>> {
    let mut services: Vec<Service<'t>> = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate().map(|(place, line)| (place + 1, line)) {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        if line.contains('\t') {
            tell(number, "indents with a tab".to_owned());
        }
        if let Some((_, list)) = line.split_once(": [") {
            let list = serde_json::from_str::<Vec<String>>(&format!("[{list}"));
            if let Err(error) = list {
                tell(number, format!("is no list of texts: {error}"));
            }
        }
        match depth(line) {
            0 => inside = line == "services:",
            2 if inside => {
                let name = line.trim().trim_end_matches(':');
                services.push(Service { name, line: number, lines: Vec::new() });
            }
            _ => {
                if let Some(service) = services.last_mut().filter(|_| inside) {
                    service.lines.push((number, line));
                }
            }
        }
    }
    services
}

fn check_service(
    service: &Service<'_>,
    services: &[Service<'_>],
    tell: &mut impl FnMut(usize, String),
) {
    let name = service.name;
    let mut lacks = |what: &str| tell(service.line, format!("`{name}` {what}"));
    let value = |key| service.value(key).unwrap_or_default();
    if !IMAGES.iter().any(|image| value("image").starts_with(image)) {
        lacks("has an image that no variable replaces");
    }
    if !value("healthcheck").contains("test:") {
        lacks("does not tell when it is ready");
    }
    let command = value("command");
    let serves = command.contains("redis-server") || command.contains("valkey-server");
    let is_on_host = value("network_mode") == "host";
    if is_on_host && serves && !command.contains(LOOPBACK) {
        lacks("listens beyond the loopback interface");
    }
    let ports = value("ports");
    let is_private = ports
        .split(',')
        .all(|port| port.trim_start_matches(['[', ' ', '"', '\n', '-']).starts_with(LOOPBACK));
    if !is_on_host && !is_private {
        lacks("publishes a port beyond the loopback interface, or none");
    }
    for (line, other) in service.waits_for() {
        if !services.iter().any(|service| service.name == other) {
            tell(line, format!("`{name}` waits for `{other}`, which is not there"));
        }
    }
}

/// How many spaces a line begins with.
fn depth(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// What stands behind `key:`.
fn after<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    line.strip_prefix(key)?.strip_prefix(':').map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# One.\nservices:\n  one:\n    image: ${STATE_REDIS_IMAGE:-redis:7}\n    command: [\"redis-server\"]\n    \
                        ports: [\"127.0.0.1:6379:6379\"]\n    healthcheck:\n      test: [\"CMD\", \"redis-cli\", \"ping\"]\n  \
                        two:\n    image: ${STATE_REDIS_IMAGE:-redis:7}\n    network_mode: host\n    command:\n      - \
                        redis-server\n      - --bind 127.0.0.1\n    healthcheck:\n      test: [\"CMD\", \"x\"]\n    depends_on:\n      \
                        one: { condition: service_healthy }\n";

    fn violations(text: &str) -> Vec<String> {
        let page = "[one](one/compose.yaml)";
        let tree = Tree::of(&[("docker/one/compose.yaml", text), (PAGE, page)]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_file_is_fine() {
        assert_eq!(violations(GOOD), Vec::<String>::new());
        assert_eq!(check(&Tree::of(&[("other/compose.yaml", "")])), []);
    }

    #[test]
    fn each_thing_that_is_wrong_is_found() {
        for (right, wrong, says) in [
            ("${STATE_REDIS_IMAGE:-redis:7}", "redis:7", "no variable replaces"),
            ("healthcheck:", "unhealthcheck:", "ready"),
            ("127.0.0.1:6379:6379", "6379:6379", "beyond"),
            ("    ports: [\"127.0.0.1:6379:6379\"]\n", "", "beyond"),
            ("--bind 127.0.0.1", "--port 1", "beyond"),
            ("one: { condition", "three: { condition", "`three`, which is not there"),
            ("\"redis-cli\", \"ping\"]", "\"redis-cli\", ping]", "no list"),
            ("    command: [", "\tcommand: [", "tab"),
            ("services:\n", "service:\n", "no services"),
        ] {
            let text = GOOD.replacen(right, wrong, 1);
            let found = violations(&text);
            assert!(found.iter().any(|one| one.contains(says)), "{says}: {found:?}");
        }
        let unnamed = check(&Tree::of(&[("docker/one/compose.yaml", GOOD)]));
        assert_eq!(unnamed.len(), 1, "{unnamed:?}");
    }
}
