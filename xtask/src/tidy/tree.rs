//! The files of the repository in memory, so that every rule is a pure function and tests need no folder.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs, io,
    path::Path,
};

use crate::failure::Failure;

/// Folders with nothing that people write.
const SKIPPED: &[&str] = &[".git", "target", "corpus", "artifacts", "proptest-regressions"];

/// All files of the repository: path relative to the root with `/` between names, and text where it is text.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, Option<String>>,
    folders: BTreeSet<String>,
}

/// What is wrong, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    path: String,
    line: Option<usize>,
    message: String,
}

impl Tree {
    /// Reads the folder `root` with everything below it.
    pub(crate) fn read(root: &Path) -> Result<Self, Failure> {
        let mut tree = Self::default();
        tree.read_folder(root, "")
            .map_err(|error| Failure::io("reading the files of the repository", &error))?;
        Ok(tree)
    }

    /// A made-up repository.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.insert((*path).to_owned(), Some((*text).to_owned()));
        }
        tree
    }

    /// Path and text of every text file whose path ends with `end`.
    pub(crate) fn texts<'a>(&'a self, end: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let files = self.files.iter().filter(move |(path, _)| path.ends_with(end));
        files.filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }

    /// Whether a file or a folder of this path exists.
    pub(crate) fn exists(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty() || self.files.contains_key(path) || self.folders.contains(path)
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // In a linked working tree of git, `.git` is a file.
            if SKIPPED.contains(&name.as_str()) {
                continue;
            }
            let path = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.folders.insert(path.clone());
                self.read_folder(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() {
                let text = fs::read(entry.path()).map(String::from_utf8);
                match text {
                    Ok(text) => self.insert(path, text.ok()),
                    // Removed since the folder was listed: editors and tests do that.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    fn insert(&mut self, path: String, text: Option<String>) {
        for (place, _) in path.match_indices('/') {
            self.folders.extend(path.get(..place).map(str::to_owned));
        }
        self.files.insert(path, text);
    }
}

impl Violation {
    pub(crate) fn of_file(path: &str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, message: message.into() }
    }

    /// `line` counts from 1.
    pub(crate) fn at(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: Some(line), message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}: {}", self.path, self.message),
            None => write!(formatter, "{}: {}", self.path, self.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_the_folders_above_them_exist() {
        let tree = Tree::of(&[("a/b/c.rs", "")]);
        for path in ["a", "a/", "a/b", "a/b/c.rs"] {
            assert!(tree.exists(path), "{path}");
        }
        for path in ["b", "a/b/c", "c.rs"] {
            assert!(!tree.exists(path), "{path}");
        }
    }

    #[test]
    fn this_repository_is_read_without_what_is_built() {
        let tree = Tree::read(&crate::workspace::root()).unwrap();
        assert!(tree.text("xtask/src/main.rs").is_some());
        assert!(!tree.exists("target") && !tree.exists(".git"));
    }
}
