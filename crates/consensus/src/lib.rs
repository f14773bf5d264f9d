//! How the members agree: one order of commands, decided by more than two thirds of them.
//!
//! This is the only crate that names the BFT engine. Everybody else sees [`Settings`], the trait
//! [`Application`] and a [`Handle`]: bytes go in by [`Handle::submit`], blocks of ordered bytes
//! come out by [`Application::apply`], gap-free and durable, the same on every honest member.
//! The engine orders bytes and executes nothing.
//!
//! # Layout
//!
//! - [`settings`]: what a member must know to start.
//! - [`application`]: what the product must offer to be driven.
//! - [`handle`]: what the product holds while the engine runs.

pub mod application;
pub mod handle;
pub mod settings;

pub use application::{Application, Block, Fatal};
pub use handle::{AskError, Handle, Status, Stopped, SubmitError};
pub use settings::{Limits, Pacing, Peer, Settings};

use std::sync::Arc;

/// Starts the engine on threads of its own and returns when its network and stores are open.
pub fn start(_settings: Settings, _application: Arc<dyn Application>) -> Result<Handle, StartError> {
    Err(StartError::Settings("not there yet".into()))
}

/// The engine's public key that belongs to a seed.
pub fn engine_key(_seed: &[u8; 32]) -> [u8; 32] {
    [0; 32]
}

/// Why the engine did not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A setting cannot work; the message names it.
    #[error("{0}")]
    Settings(String),
    /// A store or a thread could not be opened.
    #[error("{0}")]
    Environment(String),
}
