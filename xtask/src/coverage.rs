//! `cargo xtask coverage`: which lines the tests reach, as a table and as pages.

use clap::Args;

use crate::{failure::Failure, process, workspace};

const COMPONENT: &str = "llvm-tools";

/// Measure which lines the tests reach: a table here, and pages under target/llvm-cov/html.
///
/// Needs cargo-llvm-cov (installed when missing) and either the rustup component llvm-tools (added when missing) or the
/// system's LLVM tools of the compiler's version, `llvm-cov-N` and `llvm-profdata-N`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Show the pages in a browser
    #[arg(long)]
    open: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let tools = llvm_tools()?;
    process::need_subcommand("llvm-cov")?;
    let cargo = |arguments: &[&str]| {
        let mut command = process::cargo(arguments);
        command.envs(tools.clone());
        command
    };
    let features = workspace::features_without_servers()?;
    let tests =
        ["llvm-cov", "--no-report", "--workspace", "--features", &features, "--all-targets"];
    process::run(&mut cargo(&tests))?;
    let mut pages = cargo(&["llvm-cov", "report", "--html"]);
    if arguments.open {
        pages.arg("--open");
    }
    process::run(&mut pages)?;
    process::run(&mut cargo(&["llvm-cov", "report", "--summary-only"]))?;
    println!("pages: target/llvm-cov/html/index.html");
    Ok(())
}

/// The tools that read the profiles, as variables for cargo-llvm-cov: those that the user names in
/// `LLVM_COV` and `LLVM_PROFDATA`, else rustup's component, else the system's packages of the
/// compiler's LLVM version. The latter two need no variable or are found by their names.
fn llvm_tools() -> Result<Vec<(&'static str, String)>, Failure> {
    let named = |variable| std::env::var_os(variable).is_some();
    if named("LLVM_COV") && named("LLVM_PROFDATA") {
        return Ok(Vec::new());
    }
    let rustup = |arguments: &[&str]| {
        let mut command = std::process::Command::new("rustup");
        command.args(arguments).current_dir(workspace::root());
        command
    };
    let list = process::output(&mut rustup(&["component", "list", "--installed"]));
    if list.is_ok_and(|list| has_component(&list)) {
        return Ok(Vec::new());
    }
    let version = process::output(std::process::Command::new("rustc").arg("-vV"));
    let major = version.ok().and_then(|version| llvm_major(&version));
    if let Some(major) = major {
        let tools = [("LLVM_COV", "llvm-cov"), ("LLVM_PROFDATA", "llvm-profdata")];
        let tools = tools.map(|(variable, tool)| (variable, format!("{tool}-{major}")));
        let runs =
            |tool: &str| process::output(std::process::Command::new(tool).arg("--version")).is_ok();
        if tools.iter().all(|(_, tool)| runs(tool)) {
            return Ok(tools.to_vec());
        }
    }
    process::run(&mut rustup(&["component", "add", COMPONENT])).map_err(|_| {
        let major = major.map_or_else(|| "VERSION".to_owned(), |major| major.to_string());
        Failure::tool(format!(
            "the component {COMPONENT} is missing and could not be added; with network access run \
             `rustup component add {COMPONENT}`, or on Debian and Ubuntu \
             `apt-get install llvm-{major}`, then try again \
             (or name the tools in LLVM_COV and LLVM_PROFDATA)"
        ))
    })?;
    Ok(Vec::new())
}

/// The LLVM version of the compiler, whose profiles only tools of the same version can read.
fn llvm_major(version: &str) -> Option<u32> {
    let line = version.lines().find_map(|line| line.strip_prefix("LLVM version: "))?;
    line.split('.').next()?.parse().ok()
}

fn has_component(installed: &str) -> bool {
    installed.lines().any(|line| line.starts_with(COMPONENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_llvm_is_read_from_the_compilers_answer() {
        assert_eq!(llvm_major("rustc 1.95.0\nhost: x\nLLVM version: 22.1.2\n"), Some(22));
        assert_eq!(llvm_major("rustc 1.95.0\n"), None);
    }

    #[test]
    fn the_component_is_found_by_its_name_and_target() {
        assert!(has_component(
            "cargo-x86_64-unknown-linux-gnu\nllvm-tools-x86_64-unknown-linux-gnu\n"
        ));
        assert!(!has_component(
            "cargo-x86_64-unknown-linux-gnu\nrustfmt-x86_64-unknown-linux-gnu\n"
        ));
    }
}
