//! How the members agree: one order of commands, decided by more than two thirds of them.
//!
//! This is the only crate that names the BFT engine. Everybody else sees [`Settings`], the trait
//! [`Application`] and a [`Handle`]: bytes go in by [`Handle::submit`], blocks of ordered bytes
//! come out by [`Application::apply`], gap-free and durable, the same on every honest member.
//! The engine orders bytes and executes nothing.
//!
//! # Layout
//!
//! - [`settings`], [`application`], [`handle`]: what the product sees.
//! - `block`, `mempool`, `ordering`: what is proposed and voted for.
//! - `delivery`, `epochs`, `roster`, `evidence`: what is agreed, and by whom.
//! - `gossip`, `cosigning`, `requests`, `address`: what members tell each other besides.
//! - `member`, `stores`, `wiring`: how the parts hang together, over any runtime.
//! - `sockets`, [`simulated`]: on real machines, and in one reproducible world.

#![cfg_attr(test, allow(dead_code))]

pub mod application;
pub mod handle;
pub mod settings;

mod block;
mod hash;
mod mempool;
mod ordering;

mod delivery;
mod epochs;
mod evidence;
mod roster;

mod address;
mod cosigning;
mod gossip;
mod requests;

mod member;
mod stores;
mod wiring;

// The unit tests need no runtime, and building the engine for one takes minutes.
#[cfg(not(test))]
pub mod simulated;
#[cfg(not(test))]
mod sockets;

pub use application::{Application, Block, Fatal};
pub use handle::{AskError, Handle, Status, Stopped, SubmitError};
pub use settings::{Limits, Pacing, Peer, Settings};

use commonware_codec::DecodeExt;
use commonware_cryptography::ed25519::{PrivateKey, PublicKey};

/// Starts the engine on threads of its own. What goes wrong later, also while it opens its
/// stores, is told by [`Handle::wait_stopped`].
#[cfg(not(test))]
pub fn start(
    settings: Settings,
    application: std::sync::Arc<dyn Application>,
) -> Result<Handle, StartError> {
    settings.check()?;
    sockets::start(settings, application)
}

/// The engine's public key that belongs to a seed.
pub fn engine_key(seed: &[u8; 32]) -> [u8; 32] {
    let key = PublicKey::from(private_key(seed));
    key.as_ref().try_into().expect("keys have 32 bytes")
}

/// Why the engine did not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A setting cannot work; the message names it.
    #[error("{0}")]
    Settings(String),
    /// A port, a folder or a thread could not be opened.
    #[error("{0}")]
    Environment(String),
}

fn private_key(seed: &[u8; 32]) -> PrivateKey {
    PrivateKey::decode(bytes::Bytes::copy_from_slice(seed))
        .expect("any 32 bytes are an Ed25519 seed")
}
