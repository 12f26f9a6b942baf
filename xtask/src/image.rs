//! `cargo xtask image`: a container image out of this machine's own `redis-server`, for engines that reach no registry.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use clap::Args;

use crate::{failure::Failure, process, workspace};

/// Where the server and its client go in the image.
const PROGRAMS: &str = "/usr/local/bin";
/// What the compose files in `docker/` call beside them, and where it goes.
const SHELL: [&str; 3] = ["sh", "grep", "sleep"];
const SHELL_PROGRAMS: &str = "/bin";

const HELP: &str = "\
The image is made FROM scratch: the server, its command line client, a shell with the little that docker/ calls, and the
libraries that they are linked with. It is tagged state-redis-test:VERSION and state-redis-test:latest (state-valkey-test for Valkey), and the tests use
it where the pinned image of docker/ can be neither found nor pulled.

Example:
  cargo xtask image && STATE_REDIS_FROM=docker cargo xtask itest standalone";

/// Build a container image out of this machine's own redis-server, without a registry.
#[derive(Debug, Default, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// Build it out of valkey-server
    #[arg(long)]
    valkey: bool,
}

/// The programs that go in.
struct Flavour {
    server: &'static str,
    client: &'static str,
    tag: &'static str,
}

const REDIS: Flavour =
    Flavour { server: "redis-server", client: "redis-cli", tag: "state-redis-test" };
const VALKEY: Flavour =
    Flavour { server: "valkey-server", client: "valkey-cli", tag: "state-valkey-test" };

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let flavour = if arguments.valkey { &VALKEY } else { &REDIS };
    let image = build(flavour)?;
    println!("built {image} and {}:latest", flavour.tag);
    Ok(())
}

/// Builds the image of Redis; returns its name with the version.
pub(crate) fn build_redis() -> Result<String, Failure> {
    build(&REDIS)
}

fn build(flavour: &Flavour) -> Result<String, Failure> {
    let server = need(flavour.server)?;
    let text = process::output(Command::new(&server).arg("--version"))?;
    let version = version(&text)?;
    let folder = workspace::root().join("target/image").join(flavour.tag);
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .map_err(|error| Failure::io("clearing target/image", &error))?;
    }
    let root = folder.join("root");
    for program in [flavour.server, flavour.client] {
        add_program(PROGRAMS, &need(program)?, &root)?;
    }
    for program in SHELL {
        add_program(SHELL_PROGRAMS, &need(program)?, &root)?;
    }
    // The servers keep their data here, as in the official images.
    make_folder(&root.join("data"))?;
    make_folder(&root.join("tmp"))?;
    write(&folder.join("Dockerfile"), &dockerfile(flavour))?;
    let named = format!("{}:{version}", flavour.tag);
    let latest = format!("{}:latest", flavour.tag);
    let mut command = Command::new("docker");
    command.args(["build", "--quiet", "--tag", &named, "--tag", &latest]).arg(&folder);
    process::run(&mut command)?;
    Ok(named)
}

fn dockerfile(flavour: &Flavour) -> String {
    format!(
        "FROM scratch\nCOPY root /\nENV PATH={PROGRAMS}:{SHELL_PROGRAMS}\nWORKDIR /data\nVOLUME /data\nEXPOSE 6379\nCMD [\"{}\"]\n",
        flavour.server
    )
}

fn need(program: &str) -> Result<PathBuf, Failure> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut files = std::env::split_paths(&folders).map(|folder| folder.join(program));
    files.find(|file| file.is_file()).ok_or_else(|| {
        Failure::tool(format!(
            "{program} is not on the PATH; install it with the system's package manager, \
             for example `apt-get install {}`",
            if program.starts_with("valkey") { "valkey" } else { "redis-server" }
        ))
    })
}

/// Copies a program to `place`, the libraries that it is linked with, and the loader.
fn add_program(place: &str, program: &Path, root: &Path) -> Result<(), Failure> {
    let name = program.file_name().unwrap_or_default();
    copy(program, &root.join(place.trim_start_matches('/')).join(name))?;
    let linked = process::output(Command::new("ldd").arg(program))?;
    for library in libraries(&linked) {
        copy(Path::new(library), &root.join(library.trim_start_matches('/')))?;
    }
    Ok(())
}

/// The absolute paths in what `ldd` prints: `libm.so.6 => /lib/libm.so.6 (0x…)` and `/lib64/ld-linux.so (0x…)`.
fn libraries(linked: &str) -> impl Iterator<Item = &str> {
    linked.lines().filter_map(|line| {
        let (_, path) = line.split_once("=>").unwrap_or(("", line));
        path.split_whitespace().next().filter(|path| path.starts_with('/'))
    })
}

/// The version in `Redis server v=7.0.15 sha=…` or `Valkey server v=8.0.2 …`.
fn version(text: &str) -> Result<&str, Failure> {
    let mut words = text.split_whitespace();
    words
        .find_map(|word| word.strip_prefix("v="))
        .ok_or_else(|| Failure::check("the server does not tell its version"))
}

/// Follows symbolic links, so that the file itself is there.
fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    make_folder(to.parent().unwrap_or(to))?;
    fs::copy(from, to)
        .map(|_| ())
        .map_err(|error| Failure::io(format!("copying {}", from.display()), &error))
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder)
        .map_err(|error| Failure::io(format!("making {}", folder.display()), &error))
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    fs::write(file, text)
        .map_err(|error| Failure::io(format!("writing {}", file.display()), &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_from_what_ldd_prints() {
        let linked = "\tlinux-vdso.so.1 (0x00007ffc)\n\
            \tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f01)\n\
            \tlibgone.so.1 => not found\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f02)\n";
        let found: Vec<_> = libraries(linked).collect();
        assert_eq!(found, ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2"]);
    }

    #[test]
    fn the_version_is_read() {
        assert_eq!(version("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc"), Ok("7.0.15"));
        assert!(version("something else").is_err());
    }
}
