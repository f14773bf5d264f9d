//! `carestone`: one binary, one member of a health-record network that nobody controls alone.
//!
//! # Layout
//! - [`folder`]: what lies in a node's folder: configuration, key, genesis; [`apps`]: its part on
//!   apps and staff
//! - [`wiring`]: where engine, ledger, vault, stories and web meet
//! - [`passkey`], [`client`]: a patient's software passkey; speaking to a node
//! - [`commands`]: the commands, one file each

mod apps;
mod client;
mod commands;
mod folder;
mod passkey;
mod ports;
mod progress;
mod quality;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

/// Commands are many small pieces of memory that move between threads: with the allocator of the
/// system a busy member spends a tenth more CPU.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = commands::Cli::parse();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
