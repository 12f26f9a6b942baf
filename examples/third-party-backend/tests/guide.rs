//! Holds the guide to the sources: each snippet is there, line by line.

#![expect(clippy::unwrap_used, reason = "a test reports failure by panicking")]

use std::fs;
use std::path::Path;

/// A snippet of the guide: the file that it is from, and its lines without indentation.
#[derive(Debug)]
struct Snippet {
    file: String,
    lines: Vec<String>,
}

fn snippets(guide: &str) -> Vec<Snippet> {
    let mut found: Vec<Snippet> = Vec::new();
    let mut inside = false;
    let mut named = None;
    for line in guide.lines() {
        if let Some(file) = line.strip_prefix("<!-- from ").and_then(|l| l.strip_suffix(" -->")) {
            named = Some(file.to_owned());
        } else if line.starts_with("```") {
            inside = !inside && named.is_some();
            if let Some(file) = named.take() {
                found.push(Snippet { file, lines: Vec::new() });
            }
        } else if inside {
            // Being inside means that a snippet has begun.
            found.last_mut().unwrap().lines.push(line.trim().to_owned());
        }
    }
    found
}

#[test]
fn every_snippet_is_in_the_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guide = fs::read_to_string(root.join("docs/guides/writing-a-backend.md")).unwrap();
    let snippets = snippets(&guide);
    assert_eq!(
        guide.matches("```rust").count() + guide.matches("```toml").count(),
        snippets.len(),
        "every snippet says which file it is from"
    );
    assert!(!snippets.is_empty());
    for snippet in snippets {
        let source = fs::read_to_string(root.join(&snippet.file)).unwrap();
        let source: Vec<&str> = source.lines().map(str::trim).collect();
        let there = source.windows(snippet.lines.len()).any(|lines| lines == snippet.lines);
        assert!(there, "{} does not hold these lines: {:#?}", snippet.file, snippet.lines);
    }
}
