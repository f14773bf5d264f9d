//! Tables of facts that lie beside the source as text.

/// The rows of a table: a line that is indented goes on with the one before, `#` begins a comment.
pub(crate) fn rows(table: &'static str) -> impl Iterator<Item = &'static str> {
    let mut rest = table;
    std::iter::from_fn(move || {
        let mut ends = rest.match_indices('\n').map(|(at, _)| at + 1);
        let end = ends.find(|end| !rest[*end..].starts_with("  "))?;
        let (row, after) = rest.split_at(end);
        rest = after;
        Some(row.trim_end())
    })
    .filter(|row| !row.starts_with('#'))
}
