//! What the crate promises, tested from outside.

mod answers;
mod bytes;
mod ceremony;
mod chain;
mod complaints;
mod formats;
mod opening;
mod resharing;
mod stage;
mod support;
