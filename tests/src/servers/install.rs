//! Installs a server with the system's package manager, where that is allowed.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::error::{Result, ServersError};

/// Package managers: the program that shows that one is there, and the line that installs a package with it.
const MANAGERS: [(&str, &str); 6] = [
    ("apt-get", "apt-get install -y --no-install-recommends"),
    ("dnf", "dnf install -y"),
    ("apk", "apk add"),
    ("pacman", "pacman -S --noconfirm"),
    ("zypper", "zypper install -y"),
    ("brew", "brew install"),
];

/// The program on the `PATH`.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The line that installs `package` here, for people.
pub(crate) fn line(package: &str) -> String {
    let found = MANAGERS.iter().find(|(program, _)| on_path(program).is_some());
    match found {
        Some((_, line)) => format!("{line} {package}"),
        None => format!("install the package {package}"),
    }
}

/// Installs `package`, which brings `program`; only where there is `apt-get` and we are root.
pub(crate) fn install(package: &str, program: &str) -> Result<PathBuf> {
    if on_path("apt-get").is_none() || !rustix::process::geteuid().is_root() {
        return Err(ServersError::Unsupported(format!(
            "{package} can be installed only as root with apt-get; run `{}`",
            line(package)
        )));
    }
    // Two test programs may want it at once: apt-get waits for its lock.
    let options = ["install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"];
    let installed = apt_get(&options, package) || {
        apt_get(&["update", "-o", "DPkg::Lock::Timeout=300"], "") && apt_get(&options, package)
    };
    match on_path(program) {
        Some(program) if installed => Ok(program),
        _ => Err(ServersError::System(format!("`{}` failed", line(package)))),
    }
}

fn apt_get(options: &[&str], package: &str) -> bool {
    let mut command = Command::new("apt-get");
    command.args(options).args(Some(package).filter(|package| !package.is_empty()));
    // The package would start a server of its own, on the port that everybody uses.
    command.env("RUNLEVEL", "1").env("DEBIAN_FRONTEND", "noninteractive");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
