//! Tables that keep to the width of the output: columns are left out, and text is wrapped, before anything is broken that
//! people copy.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Width, presets};

/// The space between two columns.
const GAP: u16 = 2;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    name: &'static str,
    room: Room,
    right: bool,
}

/// What happens to a column where lines are too short for all of them.
#[derive(Clone, Copy, Debug)]
enum Room {
    /// It stays, and is never broken: ids and times.
    Whole,
    /// It is left out, the lowest rank first; it is never broken.
    Spare(u8),
    /// It is wrapped; what is not wider than this is so only where no column can be left out any more.
    Wraps(usize),
    /// It is wrapped between words alone.
    Words,
}

impl Column {
    /// A column that stays and is never broken.
    pub(crate) const fn whole(name: &'static str) -> Self {
        Self::new(name, Room::Whole)
    }

    /// A column that is never broken, but left out where lines are too short: the lowest `rank` first.
    pub(crate) const fn spare(name: &'static str, rank: u8) -> Self {
        Self::new(name, Room::Spare(rank))
    }

    /// A column that is wrapped; content of up to `least` columns only where no other column can be left out any more.
    pub(crate) const fn wraps(name: &'static str, least: usize) -> Self {
        Self::new(name, Room::Wraps(least))
    }

    /// A column that is wrapped between words alone, so that what people copy out of it stays whole.
    pub(crate) const fn words(name: &'static str) -> Self {
        Self::new(name, Room::Words)
    }

    const fn new(name: &'static str, room: Room) -> Self {
        Self { name, room, right: false }
    }

    /// The same with its content at the right, as numbers stand.
    pub(crate) const fn right(mut self) -> Self {
        self.right = true;
        self
    }
}

/// Rows under a header.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    has_header: bool,
    rows: Vec<Vec<String>>,
}

/// The lines of a table.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) lines: Vec<String>,
    /// The names of the columns for which there was no room.
    pub(crate) left_out: Vec<&'static str>,
}

impl Table {
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), has_header: true, rows: Vec::new() }
    }

    /// Names with what there is to say of them; no word is ever broken.
    pub(crate) fn of_facts() -> Self {
        let columns = [Column::whole(""), Column::new("", Room::Words)];
        Self::new(&columns).without_header()
    }

    pub(crate) fn without_header(mut self) -> Self {
        self.has_header = false;
        self
    }

    /// Adds a row: one cell for each column.
    pub(crate) fn add<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// The table in lines of `width` columns; they are longer where what is never broken needs that.
    pub(crate) fn render(&self, width: usize) -> Rendered {
        let mut table = self.build();
        let contents: Vec<usize> =
            table.column_max_content_widths().into_iter().map(usize::from).collect();
        let widths = self.widths(&contents, width);
        for (column, width) in table.column_iter_mut().zip(&widths) {
            column.set_constraint(match width {
                Some(width) => ColumnConstraint::Absolute(Width::Fixed(
                    u16::try_from(*width).unwrap_or(u16::MAX - GAP) + GAP,
                )),
                None => ColumnConstraint::Hidden,
            });
        }
        let hidden = self.columns.iter().zip(&widths).filter(|(_, width)| width.is_none());
        Rendered {
            lines: table.lines().map(|line| line.trim_end().to_owned()).collect(),
            left_out: hidden.map(|(column, _)| column.name).collect(),
        }
    }

    fn build(&self) -> comfy_table::Table {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::MAX);
        if self.has_header {
            table.set_header(self.columns.iter().map(|column| column.name));
        }
        table.add_rows(&self.rows);
        for (shown, column) in table.column_iter_mut().zip(&self.columns) {
            shown.set_padding((0, GAP));
            if column.right {
                shown.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }

    /// How wide each column is, of which the content is so wide; `None` for what is left out.
    fn widths(&self, contents: &[usize], width: usize) -> Vec<Option<usize>> {
        let least = |index: usize, column: &Column| match (column.room, contents.get(index)) {
            (_, None) => 0,
            (Room::Whole | Room::Spare(_), Some(content)) => *content,
            (Room::Wraps(least), Some(content)) => least.min(*content),
            (Room::Words, Some(content)) => self.longest_word(index).min(*content),
        };
        let mut widths: Vec<Option<usize>> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| Some(least(index, column).max(1)))
            .collect();
        let used = |widths: &[Option<usize>]| {
            let shown = widths.iter().flatten();
            shown.map(|width| width + usize::from(GAP)).sum::<usize>() - usize::from(GAP)
        };
        while used(&widths) > width {
            let spare = self.columns.iter().zip(&mut widths).filter_map(|(column, width)| {
                let Room::Spare(rank) = column.room else { return None };
                width.is_some().then_some((rank, width))
            });
            let Some((_, width)) = spare.min_by_key(|(rank, _)| *rank) else { break };
            *width = None;
        }
        let mut left = width.saturating_sub(used(&widths));
        for (shown, content) in widths.iter_mut().zip(contents) {
            if let Some(shown) = shown {
                let more = content.saturating_sub(*shown).min(left);
                *shown += more;
                left -= more;
            }
        }
        widths
    }

    fn longest_word(&self, index: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(index));
        let words = cells.flat_map(|cell| cell.split_whitespace());
        words.map(|word| word.chars().count()).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1f0c9c44-0000-6000-8000-000000000000";

    fn history() -> Table {
        let mut table = Table::new(&[
            Column::whole("CHECKPOINT"),
            Column::spare("SOURCE", 1),
            Column::wraps("CHANGED", 12),
            Column::spare("STATE", 2).right(),
        ]);
        table.add([ID, "input", "messages +1, plan new", "1.20 KiB"]);
        table.add([ID, "loop", "plan", "9 B"]);
        table
    }

    #[test]
    fn what_is_copied_is_whole_at_every_width() {
        for width in 1..120 {
            let Rendered { lines, .. } = history().render(width);
            assert_eq!(
                lines.iter().filter(|line| line.contains(ID)).count(),
                2,
                "{width}: {lines:#?}"
            );
            let widest = lines.iter().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= width.max(ID.len() + 2 + 12), "{width}: {lines:#?}");
        }
    }

    #[test]
    fn columns_leave_in_their_order_and_the_rest_gets_their_room() {
        let left_out = |width| history().render(width).left_out;
        assert_eq!(left_out(200), [""; 0]);
        assert_eq!(left_out(70), [""; 0], "it wraps first");
        assert_eq!(left_out(61), ["SOURCE"]);
        assert_eq!(left_out(50), ["SOURCE", "STATE"]);
        let wide = history().render(200);
        assert!(wide.lines[0].ends_with("STATE") && wide.lines.len() == 3, "{wide:?}");
        assert!(wide.lines[2].ends_with("      9 B"), "{wide:?}");
        let narrow = history().render(61);
        assert!(narrow.lines[1].contains("messages +1"), "{narrow:?}");
    }

    #[test]
    fn words_of_facts_are_never_broken() {
        let mut facts = Table::of_facts();
        facts.add(["location", "/a/long/path/to/the/store.state and some words"]);
        facts.add(["health", ""]);
        let Rendered { lines, .. } = facts.render(20);
        assert_eq!(
            lines,
            ["location  /a/long/path/to/the/store.state", "          and some words", "health"]
        );
    }
}
