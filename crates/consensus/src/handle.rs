//! What the product holds while the engine runs.

use futures::future::BoxFuture;
use std::time::Duration;

/// A running engine. Cheap to clone; every method may be called from any thread and executor.
#[derive(Clone)]
pub struct Handle {
    _private: (),
}

impl Handle {
    /// Offers a command for ordering. `Ok` means that it waits here and at the other members,
    /// not that it is ordered: [`crate::Application::apply`] shows that. A command that waits
    /// already, or that was ordered a short while ago, is accepted and not ordered twice.
    pub fn submit(&self, _command: Vec<u8>) -> Result<(), SubmitError> {
        Err(SubmitError::Stopped)
    }

    /// Sends a request to a member and waits for its answer ([`crate::Application::answer`]).
    pub fn ask(
        &self,
        _peer: [u8; 32],
        _request: Vec<u8>,
        _timeout: Duration,
    ) -> BoxFuture<'static, Result<Vec<u8>, AskError>> {
        Box::pin(async { Err(AskError::Stopped) })
    }

    /// What the engine is doing now.
    pub fn status(&self) -> Status {
        Status::default()
    }

    /// Asks the engine to stop; returns at once.
    pub fn shutdown(&self) {}

    /// Waits until the engine has stopped and tells why.
    pub fn wait_stopped(&self) -> BoxFuture<'static, Stopped> {
        Box::pin(async { Stopped::Asked })
    }
}

/// What the engine is doing now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Newest applied block.
    pub height: u64,
    /// Epoch of the next block.
    pub epoch: u64,
    /// View (attempt to agree on a block) within the epoch.
    pub view: u64,
    /// Leader of that view, if known.
    pub leader: Option<[u8; 32]>,
    /// Members connected, without this one.
    pub connected: Vec<[u8; 32]>,
    /// Time of the newest applied block, milliseconds since the Unix epoch.
    pub last_block_ms: u64,
    /// Commands that wait to be ordered.
    pub waiting_commands: u64,
}

/// Why the engine no longer runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// By [`Handle::shutdown`].
    Asked,
    /// It could not go on; the message says what to do.
    Failed(String),
}

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// [`crate::Application::check`] refused it.
    #[error("the command is not valid")]
    Invalid,
    /// Longer than [`crate::Limits::command_bytes_max`].
    #[error("the command is too long")]
    TooLong,
    /// Too many commands wait.
    #[error("too many commands wait to be ordered; try again in a moment")]
    Full,
    /// The engine has stopped.
    #[error("the ordering engine has stopped; restart the node")]
    Stopped,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// No answer in time; the member may be down or cut off.
    #[error("the member did not answer in time")]
    Timeout,
    /// Longer than [`crate::Limits::ask_bytes_max`].
    #[error("the request is too long")]
    TooLong,
    /// Too many requests to this member are under way.
    #[error("too many requests to this member are under way; try again in a moment")]
    Busy,
    /// The member is not connected.
    #[error("the member is not connected")]
    NotConnected,
    /// The engine has stopped.
    #[error("the ordering engine has stopped; restart the node")]
    Stopped,
}
