//! Which elements make a summary: those that R4 marks so.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::table::rows;

/// The elements of a type that are marked as summary, beside those of every summary.
pub(super) fn elements(of_type: &str) -> &'static [&'static str] {
    SUMMARIES.get(of_type).map_or(&[], |summary| &summary.elements)
}

/// What is not marked within them: paths from the resource.
pub(super) fn left_out(of_type: &str) -> &'static [&'static str] {
    SUMMARIES.get(of_type).map_or(&[], |summary| &summary.left_out)
}

struct Summary {
    elements: Vec<&'static str>,
    left_out: Vec<&'static str>,
}

static SUMMARIES: LazyLock<HashMap<&'static str, Summary>> = LazyLock::new(|| {
    let summary = |row: &'static str| {
        let (of_type, words) = row.split_once(" :")?;
        let words = words.split_ascii_whitespace();
        let (left_out, elements): (Vec<_>, Vec<_>) = words.partition(|word| word.starts_with('-'));
        let left_out = left_out.into_iter().map(|path| &path[1..]).collect();
        Some((of_type, Summary { elements, left_out }))
    };
    rows(TABLE).filter_map(summary).collect()
});

const TABLE: &str = include_str!("summary.txt");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ResourceType;

    #[test]
    fn the_table_has_every_type() {
        for of_type in ResourceType::all() {
            assert!(SUMMARIES.contains_key(of_type.name()), "{of_type}");
        }
        assert_eq!(SUMMARIES.len(), ResourceType::all().count());
    }

    #[test]
    fn what_is_left_out_lies_within_what_is_kept() {
        for (of_type, summary) in SUMMARIES.iter() {
            for path in &summary.left_out {
                let within = path.split('.').next().unwrap();
                let is_kept =
                    |name: &&str| crate::search::is_choice_of(within, name) && path.contains('.');
                assert!(summary.elements.iter().any(is_kept), "{of_type}.{path}");
            }
        }
    }
}
