//! The binary as its users meet it: real processes, real files, real sockets on the loopback address.
//!
//! # Layout
//! - [`node`]: a network of one, started for a test
//! - [`keys`], [`certificates`], [`provider`], [`browser`]: keys that sign tokens; an authority for
//!   TLS; an identity provider; a browser with a person
//! - the tests, a file per promise

mod at_rest;
mod backend;
mod bad_input;
mod browser;
mod bulk;
mod certificates;
mod configuration;
mod coverage;
mod crash;
mod demo;
mod feed;
mod keys;
mod node;
mod provider;
mod rest;
mod sign_on;
mod smart;
mod smart_client;
mod synthea;
