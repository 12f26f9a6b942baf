//! Where servers come from: a URL, a container engine, the `PATH`, or the package manager, in this order.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Setup;
use super::container::Engine;
use super::error::{Result, ServersError};
use super::install;

/// A URL of servers that run already; they are used instead of any that would be started.
const URL: &str = "STATE_REDIS_URL";
/// The images to use instead of the pinned ones; the compose files in `docker/` read the same.
const REDIS_IMAGE_WANTED: &str = "STATE_REDIS_IMAGE";
const VALKEY_IMAGE_WANTED: &str = "STATE_VALKEY_IMAGE";
/// The one way to use, instead of the first that works: `url`, `docker`, `path` or `install`.
const FROM: &str = "STATE_REDIS_FROM";

/// The pinned images, the same as in `docker/`.
const REDIS_IMAGE: &str = "redis:7.2.7-bookworm";
const VALKEY_IMAGE: &str = "valkey/valkey:8.0.2-bookworm";
/// What `cargo xtask image` builds out of this machine's own server.
const LOCAL_REDIS_IMAGE: &str = "state-redis-test:latest";
const LOCAL_VALKEY_IMAGE: &str = "state-valkey-test:latest";

/// Where servers come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Url(String),
    Docker { engine: Arc<Engine>, image: String },
    Program(PathBuf),
}

impl std::fmt::Display for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // Never the URL itself: there may be a password in it.
            Self::Url(_) => formatter.write_str("the servers of the given URL"),
            Self::Docker { image, .. } => write!(formatter, "containers of {image}"),
            Self::Program(program) => write!(formatter, "processes of {}", program.display()),
        }
    }
}

/// The ways to servers, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Url,
    Docker,
    Path,
    Install,
}

const WAYS: [(Way, &str); 4] =
    [(Way::Url, "url"), (Way::Docker, "docker"), (Way::Path, "path"), (Way::Install, "install")];

/// What was found for setups of one server program, or why nothing was.
type Found = std::result::Result<Source, String>;

/// Finds servers for a setup, and tells on standard error what is used and why nothing better is.
///
/// Each process looks once: asking a registry that nobody reaches, or a package manager, takes its time.
pub(crate) fn find(setup: Setup) -> Result<Source> {
    static FOUND: Mutex<BTreeMap<&str, Found>> = Mutex::new(BTreeMap::new());
    let program = program(setup);
    let mut known = FOUND.lock();
    let found =
        known.entry(program).or_insert_with(|| look(setup).map_err(|error| error.to_string()));
    found.clone().map_err(ServersError::NotFound)
}

fn look(setup: Setup) -> Result<Source> {
    let wanted = wanted_way()?;
    let mut tried = Vec::new();
    for (way, name) in WAYS.iter().filter(|(way, _)| wanted.is_none_or(|wanted| wanted == *way)) {
        match from(*way, setup) {
            Ok(source) => {
                tell(setup, &source, &tried);
                return Ok(source);
            }
            Err(error) => tried.push(format!("{name}: {error}")),
        }
    }
    let program = program(setup);
    Err(ServersError::NotFound(format!(
        "no {program} for the setup {setup}; `{}` installs one. Tried:\n  {}",
        install::line(program),
        tried.join("\n  ")
    )))
}

fn wanted_way() -> Result<Option<Way>> {
    let Ok(wanted) = std::env::var(FROM) else { return Ok(None) };
    let found = WAYS.iter().find(|(_, name)| *name == wanted);
    let (way, _) = found.ok_or_else(|| {
        ServersError::Unsupported(format!("{FROM} is none of url, docker, path, install"))
    })?;
    Ok(Some(*way))
}

#[expect(clippy::print_stderr, reason = "a test run has to say what it ran on")]
fn tell(setup: Setup, source: &Source, tried: &[String]) {
    for reason in tried {
        eprintln!("servers: {setup}: not used: {reason}");
    }
    eprintln!("servers: {setup}: {source}");
}

fn from(way: Way, setup: Setup) -> Result<Source> {
    match way {
        Way::Url => match std::env::var(URL) {
            Ok(url) => Ok(Source::Url(url)),
            Err(_) => Err(ServersError::Unsupported(format!("{URL} is not set"))),
        },
        Way::Docker => from_docker(setup),
        Way::Path => {
            let program = program(setup);
            let missing = || ServersError::Unsupported(format!("no {program} on the PATH"));
            install::on_path(program).map(Source::Program).ok_or_else(missing)
        }
        Way::Install => install::install(program(setup)).map(Source::Program),
    }
}

fn program(setup: Setup) -> &'static str {
    match setup {
        Setup::Valkey => "valkey-server",
        _ => "redis-server",
    }
}

/// The variable that names an image, the pinned image, and what `cargo xtask image` builds.
fn images(setup: Setup) -> (&'static str, &'static str, &'static str) {
    match setup {
        Setup::Valkey => (VALKEY_IMAGE_WANTED, VALKEY_IMAGE, LOCAL_VALKEY_IMAGE),
        _ => (REDIS_IMAGE_WANTED, REDIS_IMAGE, LOCAL_REDIS_IMAGE),
    }
}

fn from_docker(setup: Setup) -> Result<Source> {
    let engine = Engine::find()?;
    let (wanted, pinned, local) = images(setup);
    if let Ok(image) = std::env::var(wanted) {
        if !engine.has_image(&image)? {
            engine.pull(&image)?;
        }
        return Ok(Source::Docker { engine, image });
    }
    for image in [pinned, local] {
        if engine.has_image(image)? {
            return Ok(Source::Docker { engine, image: image.to_owned() });
        }
    }
    engine.pull(pinned).map_err(|error| {
        ServersError::Unsupported(format!(
            "{error}; `cargo xtask image` builds an image out of this machine's own server"
        ))
    })?;
    Ok(Source::Docker { engine, image: pinned.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compose_files_and_the_tests_read_the_same_variables_and_pin_the_same_images() {
        for setup in Setup::ALL {
            let file = format!("{}/../docker/{setup}/compose.yaml", env!("CARGO_MANIFEST_DIR"));
            let (wanted, pinned, _) = images(setup);
            let text = std::fs::read_to_string(file).unwrap();
            let mut lines = text.lines().filter_map(|line| line.trim().strip_prefix("image: "));
            let expected = format!("${{{wanted}:-{pinned}}}");
            assert!(lines.clone().count() > 0 && lines.all(|image| image == expected), "{setup}");
        }
    }
}
