//! Numbers of things in reports.

/// A number of things: `1 kill`, `2 kills`.
pub fn counted(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_no_things() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "kill")), ["0 kills", "1 kill", "2 kills"]);
    }
}
