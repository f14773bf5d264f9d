//! The binary as its users meet it: real processes, real files, real sockets on the loopback address.
//!
//! # Layout
//! - [`node`]: a network of one, started for a test
//! - [`keys`], [`provider`], [`browser`]: keys that sign tokens; an identity provider; a browser with
//!   a person
//! - the tests, a file per promise

mod at_rest;
mod backend;
mod bad_input;
mod browser;
mod configuration;
mod coverage;
mod crash;
mod demo;
mod keys;
mod node;
mod provider;
mod rest;
mod sign_on;
mod smart;
mod smart_client;
mod synthea;
