//! What the product holds while the engine runs.

use crate::{
    member::{Ask, Member},
    mempool::Origin,
};
use futures::future::BoxFuture;
use std::{sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// A running engine. Cheap to clone; every method may be called from any thread and executor.
/// The engine runs on when all handles are gone.
#[derive(Clone)]
pub struct Handle {
    member: Arc<Member>,
}

impl Handle {
    pub(crate) fn new(member: Arc<Member>) -> Self {
        Self { member }
    }

    /// The key by which the other members know this one.
    pub fn key(&self) -> [u8; 32] {
        self.member.key
    }

    /// Offers a command for ordering. `Ok` means that it waits here and is sent to the other
    /// members until it is ordered, not that it is ordered: [`crate::Application::apply`] shows
    /// that. A command that waits already, or that was ordered a short while ago, is accepted
    /// and not ordered twice. It does not survive a restart of this member before it is ordered.
    pub fn submit(&self, command: Vec<u8>) -> Result<(), SubmitError> {
        if self.member.halt.reason().is_some() {
            return Err(SubmitError::Stopped);
        }
        if self.member.offer(Origin::Own, command)? {
            self.member.submitted.notify_one();
        }
        Ok(())
    }

    /// Sends a request to a member and waits for its answer ([`crate::Application::answer`]).
    /// Asking oneself is answered without the network.
    pub fn ask(
        &self,
        peer: [u8; 32],
        request: Vec<u8>,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Vec<u8>, AskError>> {
        let member = self.member.clone();
        Box::pin(async move {
            if member.halt.reason().is_some() {
                return Err(AskError::Stopped);
            }
            if request.len() > member.settings.limits.ask_bytes_max as usize {
                return Err(AskError::TooLong);
            }
            if peer == member.key {
                return Ok(member.application.answer(peer, request).await);
            }
            let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
            let (reply, answer) = oneshot::channel();
            let ask = Ask { peer, request, timeout_ms, reply };
            member.asks.try_send(ask).map_err(|_| AskError::Busy)?;
            answer.await.unwrap_or(Err(AskError::Stopped))
        })
    }

    /// What the engine is doing now.
    pub fn status(&self) -> Status {
        let mut status = self.member.status().clone();
        status.height = self.member.height();
        status.waiting_commands = self.member.mempool().len() as u64;
        status
    }

    /// Asks the engine to stop; returns at once.
    pub fn shutdown(&self) {
        self.member.halt.set(Stopped::Asked);
    }

    /// Waits until the engine has stopped, its stores are closed and it can be started again;
    /// tells why it stopped.
    pub fn wait_stopped(&self) -> BoxFuture<'static, Stopped> {
        let member = self.member.clone();
        Box::pin(async move { member.stopped.wait().await })
    }
}

/// What the engine is doing now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Newest applied block.
    pub height: u64,
    /// Newest block that is known to be agreed; ahead of `height` while catching up.
    pub agreed_height: u64,
    /// Epoch of the next block.
    pub epoch: u64,
    /// View (attempt to agree on a block) within the epoch.
    pub view: u64,
    /// Leader of that view, if known.
    pub leader: Option<[u8; 32]>,
    /// Members connected, without this one; at most half a second old.
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
    /// The request, or the member's answer, is longer than [`crate::Limits::ask_bytes_max`].
    #[error("the request or its answer is too long")]
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
