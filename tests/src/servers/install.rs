//! Installs a server with the system's package manager, where that is allowed.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::error::{Result, ServersError};

/// A package manager.
#[derive(Debug)]
struct Manager {
    program: &'static str,
    /// What stands before the name of the package.
    install: &'static [&'static str],
    /// What fetches the lists of packages, where `install` does not.
    refresh: Option<&'static [&'static str]>,
    /// The packages with `redis-server` and `valkey-server`.
    packages: [&'static str; 2],
    as_root: bool,
}

/// Two test programs may want it at once: apt-get waits for its lock.
const APT_LOCK: &str = "DPkg::Lock::Timeout=300";

const MANAGERS: [Manager; 6] = [
    Manager {
        program: "apt-get",
        install: &["install", "-y", "--no-install-recommends", "-o", APT_LOCK],
        refresh: Some(&["update", "-o", APT_LOCK]),
        packages: ["redis-server", "valkey-server"],
        as_root: true,
    },
    Manager {
        program: "dnf",
        install: &["install", "-y"],
        refresh: None,
        packages: ["redis", "valkey"],
        as_root: true,
    },
    Manager {
        program: "apk",
        install: &["add"],
        refresh: Some(&["update"]),
        packages: ["redis", "valkey"],
        as_root: true,
    },
    Manager {
        program: "pacman",
        install: &["-S", "--noconfirm", "--needed"],
        refresh: Some(&["-Sy"]),
        packages: ["redis", "valkey"],
        as_root: true,
    },
    Manager {
        program: "zypper",
        install: &["--non-interactive", "install"],
        refresh: Some(&["--non-interactive", "refresh"]),
        packages: ["redis", "valkey"],
        as_root: true,
    },
    Manager {
        program: "brew",
        install: &["install"],
        refresh: None,
        packages: ["redis", "valkey"],
        as_root: false,
    },
];

impl Manager {
    fn here() -> Option<&'static Self> {
        MANAGERS.iter().find(|manager| on_path(manager.program).is_some())
    }

    fn package(&self, server: &str) -> &'static str {
        let [redis, valkey] = self.packages;
        if server.starts_with("valkey") { valkey } else { redis }
    }

    fn line(&self, server: &str) -> String {
        // The lock is for us and not for people.
        let words = self.install.iter().filter(|word| **word != "-o" && **word != APT_LOCK);
        let words: Vec<&str> = words.copied().collect();
        format!("{} {} {}", self.program, words.join(" "), self.package(server))
    }

    fn install(&self, server: &str) -> bool {
        let install = [self.install, &[self.package(server)]].concat();
        self.run(&install)
            || self.refresh.is_some_and(|lists| self.run(lists) && self.run(&install))
    }

    fn run(&self, words: &[&str]) -> bool {
        let mut command = Command::new(self.program);
        // Packages of Debian would start a server of their own, on the port that everybody uses.
        command.args(words).env("RUNLEVEL", "1").env("DEBIAN_FRONTEND", "noninteractive");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

/// The program on the `PATH`.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The line that installs `server` here, for people.
pub(crate) fn line(server: &str) -> String {
    Manager::here().map_or_else(|| format!("install {server}"), |manager| manager.line(server))
}

/// Installs `server`, where there is a package manager that we may use.
pub(crate) fn install(server: &str) -> Result<PathBuf> {
    let manager = Manager::here().ok_or_else(|| {
        ServersError::Unsupported(format!("no package manager that could install {server}"))
    })?;
    let line = manager.line(server);
    if manager.as_root && !rustix::process::geteuid().is_root() {
        return Err(ServersError::Unsupported(format!(
            "{server} can be installed only as root; run `{line}`"
        )));
    }
    let installed = manager.install(server);
    match on_path(server) {
        Some(program) if installed => Ok(program),
        _ => Err(ServersError::System(format!("`{line}` failed"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_for_people_is_what_is_run() {
        let lines: Vec<_> = MANAGERS.iter().map(|manager| manager.line("redis-server")).collect();
        let expected = [
            "apt-get install -y --no-install-recommends redis-server",
            "dnf install -y redis",
            "apk add redis",
            "pacman -S --noconfirm --needed redis",
            "zypper --non-interactive install redis",
            "brew install redis",
        ];
        assert_eq!(lines, expected);
        assert!(MANAGERS.iter().all(|manager| manager.package("valkey-server").contains("valkey")));
    }
}
