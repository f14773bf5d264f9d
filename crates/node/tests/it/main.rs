//! The binary as its users meet it: real processes, real files, real sockets on the loopback address.
//!
//! # Layout
//! - [`node`]: a network of one, started for a test
//! - the tests, a file per promise

mod at_rest;
mod bad_input;
mod configuration;
mod crash;
mod demo;
mod node;
mod rest;
mod synthea;
