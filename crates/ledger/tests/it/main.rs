//! Tests of the ledger from outside: tables per rule book, properties over random histories,
//! attacks, and frozen encodings.

mod world;

mod access;
mod anchor;
mod author;
mod check;
mod consent;
mod coverage;
mod custody;
mod emergency;
mod erase;
mod expiry;
mod network;
mod passkey;
mod patient;
mod working;

mod oracle;
mod random;

mod vectors;
