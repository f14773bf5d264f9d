//! Stories of one member whose ledger stands still: what does not need the others.
//!
//! # Layout
//! - the member, in this file
//! - the tests, a file per story

mod importing;

use std::sync::{Arc, Mutex};

use flows::{AskError, Clock, Member, Network, NodeSecret, World};
use futures::future::{BoxFuture, pending, ready};
use ledger::{Genesis, MemberId, Origin};
use rand::{SeedableRng, rngs::StdRng};

/// A member of a network of one, with this vault.
pub fn member(vault: Arc<vault::Memory>) -> Arc<Member> {
    let secret = NodeSecret::new([7; 32]);
    let founder = secret.member("Hospital", [1; 32], "127.0.0.1:1");
    let origin =
        Origin { origin: "http://localhost".to_owned(), relying_party: "localhost".to_owned() };
    let genesis = Genesis {
        name: "Alone".to_owned(),
        origin: "ledger.example.org/alone".to_owned(),
        members: vec![founder.clone()],
        origins: vec![origin],
        created_ms: NOW_MS,
        epoch_blocks: 1_000,
    };
    let chain = Arc::new(chain::Chain::open(None, &genesis).expect("a sound genesis"));
    let world = World {
        network: Arc::new(Alone),
        clock: Arc::new(Alone),
        chance: Arc::new(Mutex::new(Box::new(StdRng::seed_from_u64(1)))),
    };
    Member::new(founder.id, secret, vec![founder], chain, vault, world)
}

/// No network, and no time that passes.
struct Alone;

impl Network for Alone {
    fn submit(&self, _command: Vec<u8>) {}

    fn ask(
        &self,
        _member: MemberId,
        _request: Vec<u8>,
    ) -> BoxFuture<'static, Result<Vec<u8>, AskError>> {
        Box::pin(ready(Err(AskError::Unreachable)))
    }
}

impl Clock for Alone {
    fn now_ms(&self) -> u64 {
        NOW_MS
    }

    fn sleep(&self, _ms: u64) -> BoxFuture<'static, ()> {
        Box::pin(pending())
    }
}

const NOW_MS: u64 = 1_800_000_000_000;
