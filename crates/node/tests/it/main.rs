//! The binary as its users meet it: real processes, real files, real sockets on the loopback address.
//!
//! # Layout
//! - [`node`]: a network of one, started for a test
//! - [`keys`], [`certificates`], [`provider`], [`browser`]: keys that sign tokens; an authority for
//!   TLS; an identity provider; a browser with a person
//! - [`described`]: every answer that a test gets is held against the node's own description
//! - [`clients`]: clients that others wrote, installed from their registries
//! - the tests, a file per promise

mod at_rest;
mod audit;
mod backend;
mod bad_input;
mod browser;
mod bulk;
mod bulk_conformance;
mod certificates;
mod clients;
mod configuration;
mod conformance;
mod coverage;
mod crash;
mod current;
mod demo;
mod described;
mod document;
mod erasure;
mod feed;
mod import_faults;
mod importing;
mod inference;
mod integrating;
mod js_clients;
mod keys;
mod matching;
mod node;
mod odd_requests;
#[path = "../../src/ports.rs"]
mod ports;
mod provider;
mod python_clients;
mod quality;
mod r4_examples;
mod rest;
mod schemathesis;
mod scopes;
mod sign_on;
mod smart;
mod smart_client;
mod summary;
mod synthea;
