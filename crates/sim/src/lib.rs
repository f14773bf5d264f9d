//! The hostile world: whole nodes on one reproducible runtime, with a network that fails, power that is
//! cut, a member that cheats, and checkers that watch. Development only.
//!
//! Four members run the real stories over the real engine, chain, custody and vault. One seed decides
//! everything: who is ill, what is asked, which link drops what, who loses power when, who cheats
//! how. The same seed gives the same history, so every failure can be looked at again.
//!
//! # Layout
//!
//! - [`dice`]: chance, all of it from the seed.
//! - [`cast`]: the members, and how they behave; [`byzantine`]: what cheating looks like.
//! - [`watch`]: what is noted while the world runs; [`node`]: one member, wired to its engine, watched.
//! - [`world`]: starting, stopping and cutting; [`chaos`]: when that happens.
//! - [`patient`], [`workload`]: the story that is played; [`finale`]: what is asked at the end.
//! - [`oracle`]: a second, naive opinion on every ordered command.
//! - [`checkers`]: what must hold, one property in each file.
//! - [`run`](mod@run): all of it, for one seed.

pub mod dice;

pub mod byzantine;
pub mod cast;

pub mod node;
pub mod oracle;
pub mod watch;

pub mod chaos;
pub mod world;

pub mod finale;
pub mod patient;
pub mod workload;

pub mod checkers;
pub mod run;

pub use cast::{Cast, Conduct};
pub use checkers::Failure;
pub use run::{Options, Report, Sabotage, run};
pub use world::{Stage, play};
