//! The guide `docs/guides/getting-started.md`: its commands are run, and must say what it shows.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::bench::{Bench, PROGRAM, finish};

const GUIDE: &str = include_str!("../../../../docs/guides/getting-started.md");
const EXAMPLE: &str = include_str!("../../examples/getting-started.rs");

/// The blocks of the guide in this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    let blocks = GUIDE.split(&fence).skip(1);
    blocks.map(|rest| rest.split("\n```").next().unwrap()).collect()
}

/// Commands with the output that the guide shows for them.
fn commands() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in blocks("console").into_iter().flat_map(str::lines) {
        match line.strip_prefix("$ ") {
            Some(command) => commands.push((command, Vec::new())),
            None => commands.last_mut().unwrap().1.push(line),
        }
    }
    commands
}

/// Whether the output is as shown, where `…` stands for anything and a line of it for any lines.
fn matches(shown: &[&str], said: &[&str]) -> bool {
    match shown {
        [] => said.is_empty(),
        ["…", rest @ ..] => (0..=said.len()).any(|skip| matches(rest, &said[skip..])),
        [line, rest @ ..] => {
            said.first().is_some_and(|first| line_matches(line, first)) && matches(rest, &said[1..])
        }
    }
}

fn line_matches(shown: &str, said: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = parts.next().and_then(|first| said.strip_prefix(first)) else {
        return false;
    };
    let mut open = false;
    for part in parts {
        open = part.is_empty();
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    open || rest.is_empty()
}

#[test]
fn every_command_of_the_guide_says_what_it_shows() {
    let bench = Bench::new();
    let folder = Path::new(PROGRAM).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut exported = BTreeMap::new();
    let commands = commands();
    assert!(commands.len() > 25, "the guide has lost its commands");
    for (command, shown) in commands {
        if let Some((name, value)) =
            command.strip_prefix("export ").and_then(|rest| rest.split_once('='))
        {
            exported.insert(name, value);
            continue;
        }
        let mut shell = Command::new("sh");
        shell.current_dir(bench.path(".")).arg("-c").arg(format!("{{ {command}\n}} 2>&1"));
        shell.env_remove("STATE_NAMESPACE").env("PATH", &path).envs(&exported);
        let run = finish(shell, b"");
        let said = String::from_utf8(run.stdout).unwrap();
        let said: Vec<&str> = said.lines().collect();
        assert!(matches(&shown, &said), "$ {command}\nshown: {shown:#?}\nsaid: {said:#?}");
    }
}

#[test]
fn the_program_of_the_guide_is_the_example() {
    let example: Vec<&str> = EXAMPLE
        .lines()
        .filter(|line| !line.starts_with("//!") && !line.starts_with("#!["))
        .collect();
    assert_eq!(blocks("rust"), [example.join("\n").trim()]);
}
