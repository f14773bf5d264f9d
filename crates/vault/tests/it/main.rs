//! What a vault promises, asked of every store from outside.

mod blobs;
mod crash;
mod envelope;
mod equivalence;
mod erased_files;
mod erasures;
mod opaque;
mod sqlite;
mod suite;
mod support;
