//! JSON as a text with places: tokens, and the tree built from them.
//!
//! A reader of our own because three things matter here that a general reader hides: the exact
//! bytes of a part (a Bundle's entry), duplicate keys (two readers of the same record must never
//! see two different values), and the place of every mistake.

pub mod token;

pub mod tree;

pub use token::{SyntaxError, Text, Token, Tokens};
pub use tree::{Slice, bundle_tree, tree};

use serde_json::Value;

/// The items of an array; none of anything else.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
