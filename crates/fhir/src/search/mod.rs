//! Search in memory, over resources that have been opened.
//!
//! A patient's compartment is a few thousand resources: they are opened, searched and forgotten,
//! and no readable index lies anywhere. [`Query::parse`] is strict: a parameter that is not known
//! is an error, since an ignored filter would return what nobody asked for.

mod decimal;

mod expression;

mod filter;

mod logic;

mod near;

mod parameters;

mod program;

mod query;

mod sort;

mod terms;

mod text;

mod through;

mod value;

pub(crate) use expression::{compile, typed_member};
pub use parameters::{Kind, Parameter, Part, parameter, parameters};
pub(crate) use program::{Program, contained, is_choice, is_choice_of};
pub use query::{Candidate, Home, Query};
pub use terms::Terms;
pub(crate) use text::fold;
