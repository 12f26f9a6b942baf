//! As much of Markdown as the rules need: prose without code blocks, code spans, links, anchors.

use std::collections::{BTreeMap, BTreeSet};

/// The lines, counted from 1, outside of fenced code blocks.
pub(crate) fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fence: Option<&str> = None;
    let mut lines = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let start = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => lines.push((place + 1, line)),
            _ => {}
        }
    }
    lines
}

/// What stands between single backticks.
pub(crate) fn code_spans(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

/// Where the links of a line lead: `[text](here)`, and `[name]: here` at its beginning.
pub(crate) fn links(line: &str) -> Vec<String> {
    let visible: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let definition = visible
        .trim_start()
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "))
        .map(|(_, target)| target);
    let inline = visible.split("](").skip(1).map(|rest| rest.split(')').next().unwrap_or_default());
    inline.chain(definition).filter_map(target).collect()
}

/// What can stand behind `#` in a link to this page.
pub(crate) fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        for attribute in ["id=\"", "name=\""] {
            let named = line.split(attribute).skip(1).filter_map(|rest| rest.split('"').next());
            anchors.extend(named.map(str::to_owned));
        }
        let Some(heading) = heading(line) else { continue };
        let slug = slug(heading);
        let times = seen.entry(slug.clone()).or_default();
        anchors.insert(if *times == 0 { slug } else { format!("{slug}-{times}") });
        *times += 1;
    }
    anchors
}

/// A target may be followed by a title, and may stand in `<…>`.
fn target(text: &str) -> Option<String> {
    let first = text.split_whitespace().next()?;
    Some(first.trim_start_matches('<').trim_end_matches('>').to_owned())
}

fn heading(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches('#');
    let level = line.len() - rest.len();
    ((1..=6).contains(&level) && rest.starts_with(' ')).then(|| rest.trim())
}

/// The anchor that code hosts make of a heading.
fn slug(heading: &str) -> String {
    let mut text = String::new();
    let mut rest = heading;
    // Of a link only the text shows.
    while let Some((before, after)) = rest.split_once("](") {
        text.push_str(before);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    let kept = text.chars().filter(|part| part.is_alphanumeric() || " -_".contains(*part));
    kept.map(|part| if part == ' ' { '-' } else { part }).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_blocks_are_not_prose() {
        let text = "a\n```rust\nb\n~~~\n```\nc\n";
        assert_eq!(prose(text), [(1, "a"), (6, "c")]);
    }

    #[test]
    fn code_spans_and_links_are_told_apart() {
        let line =
            "see `crates/x`, [the page](a/b.md#c \"title\") and `[no](link.md)`, ![i](<d.svg>)";
        assert_eq!(code_spans(line), ["crates/x", "[no](link.md)"]);
        assert_eq!(links(line), ["a/b.md#c", "d.svg"]);
        assert_eq!(links("[name]: ../x.md"), ["../x.md"]);
    }

    #[test]
    fn anchors_are_made_of_headings() {
        let text = "# What `put` does: all of it\n## Twice\n## Twice\n#no heading\n### [Link](x.md) & more\n<a id=\"own\"></a>\n";
        let expected = ["link--more", "own", "twice", "twice-1", "what-put-does-all-of-it"];
        assert_eq!(anchors(text).into_iter().collect::<Vec<_>>(), expected);
    }
}
