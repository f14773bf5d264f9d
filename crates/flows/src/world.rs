//! What a story needs from outside: the network, the time, and chance. Everything else is computed.
//!
//! The node gives the real ones; the simulator gives deterministic ones, so that a seed repeats a run.

use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use ledger::MemberId;
use rand_core::CryptoRng;

/// How a member speaks with the others.
pub trait Network: Send + Sync + 'static {
    /// Hands a signed command to the members for ordering. What became of it is read from the chain.
    fn submit(&self, command: Vec<u8>);

    /// Sends a request to another member over the authenticated peer network.
    fn ask(
        &self,
        member: MemberId,
        request: Vec<u8>,
    ) -> BoxFuture<'static, Result<Vec<u8>, AskError>>;
}

/// Why a member gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// It cannot be reached, or did not answer in time.
    #[error("the member cannot be reached")]
    Unreachable,
    /// This side or the other has too much under way.
    #[error("too many requests are under way")]
    Busy,
}

/// The time of day, for validity windows and waiting. Rules never read it.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> u64;

    /// Ready after so many milliseconds.
    fn sleep(&self, ms: u64) -> BoxFuture<'static, ()>;
}

/// A source of keys, salts and nonces.
pub type Chance = Mutex<Box<dyn CryptoRng + Send>>;

/// The outside world of one member.
#[derive(Clone)]
pub struct World {
    /// The other members.
    pub network: Arc<dyn Network>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<Chance>,
}

impl World {
    /// Draws random bytes.
    pub fn draw<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.with_chance(|rng| rng.fill_bytes(&mut bytes));
        bytes
    }

    /// Lends the source of chance to a computation that draws more than once.
    pub fn with_chance<T>(&self, draw: impl FnOnce(&mut (dyn CryptoRng + Send)) -> T) -> T {
        let mut chance = self.chance.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        draw(&mut **chance)
    }

    /// Waits for a future, but no longer than so many milliseconds.
    pub async fn within<T>(&self, ms: u64, future: impl Future<Output = T> + Send) -> Option<T> {
        let future = std::pin::pin!(future);
        match futures::future::select(future, self.clock.sleep(ms)).await {
            futures::future::Either::Left((value, _)) => Some(value),
            futures::future::Either::Right(_) => None,
        }
    }
}
