//! Links between the documents of the repository lead somewhere.

use super::{
    markdown,
    tree::{Tree, Violation},
};

pub(crate) const WHAT: &str =
    "relative links in Markdown files lead to a file, and their anchors to a heading";

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in tree.texts(".md") {
        for (line, content) in markdown::prose(text) {
            for link in markdown::links(content) {
                if let Some(message) = broken(tree, path, &link) {
                    violations.push(Violation::at(path, line, message));
                }
            }
        }
    }
    violations
}

fn broken(tree: &Tree, from: &str, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) =
        link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let Some(target) = resolve(from, file) else {
        return Some(format!("the link `{link}` leads out of the repository"));
    };
    if !tree.exists(&target) {
        return Some(format!("the link `{link}` leads nowhere: there is no `{target}`"));
    }
    let anchor = anchor?;
    let known = tree.text(&target).is_some_and(|text| markdown::anchors(text).contains(anchor));
    (!known).then(|| format!("the link `{link}` leads nowhere: `{target}` has no heading for it"))
}

/// The path from the root of the repository; `None` if it leaves the repository.
fn resolve(from: &str, file: &str) -> Option<String> {
    if file.is_empty() {
        return Some(from.to_owned());
    }
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut names: Vec<&str> = folder.split('/').filter(|name| !name.is_empty()).collect();
    for name in file.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop()?;
            }
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(link: &str) -> usize {
        let page = format!("# Top\nsee [it]({link})\n");
        let tree = Tree::of(&[
            ("README.md", "# Read me\n## Two commands\n"),
            ("docs/guides/page.md", &page),
            ("docs/guides/other.md", "# Other\n"),
        ]);
        check(&tree).len()
    }

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        for link in [
            "other.md",
            "./other.md#other",
            "../../README.md#two-commands",
            "../guides/",
            "#top",
            "https://example.com/nowhere",
        ] {
            assert_eq!(violations(link), 0, "{link}");
        }
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        for link in ["missing.md", "README.md", "other.md#missing", "#missing", "../../../out.md"] {
            assert_eq!(violations(link), 1, "{link}");
        }
    }
}
