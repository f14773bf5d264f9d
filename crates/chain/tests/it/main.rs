//! Everything that the chain promises, on both stores.

mod world;

mod applying;
mod cosigning;
mod killing;
mod proving;
mod reading;
mod restarting;
mod waiting;
