//! One member's product: its keys, its copy of the ledger, its vault, and the others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ledger::{Author, Body, Command, CommandId, Entry, Event, MemberId, NetworkId, Outcome};
use vault::NodeKeys;

use crate::{
    FlowError, NodeSecret, World, limits, parted::Parted, scopes::Scopes, sessions::Sessions,
};

/// A member organisation at work. Every story is a method; the files are named after the stories.
pub struct Member {
    /// Who it is on the ledger.
    pub id: MemberId,
    /// The network it belongs to.
    pub network: NetworkId,
    /// The others, time and chance.
    pub world: World,
    /// Its own copy of the ledger.
    pub chain: Arc<chain::Chain>,
    /// Where its records live.
    pub vault: Arc<dyn vault::Vault>,
    pub(crate) secret: NodeSecret,
    pub(crate) keys: NodeKeys,
    pub(crate) scopes: Scopes,
    pub(crate) sessions: Sessions,
    pub(crate) parted: Parted,
    conditional: Mutex<()>,
    pub(crate) feeds: crate::feed::Feeds,
    pub(crate) decisions: crate::cases::Decisions,
    pub(crate) founders: Vec<ledger::Member>,
    custody: RwLock<Option<Arc<Custody>>>,
    pub(crate) policy: RwLock<crate::quality::Policy>,
    pub(crate) erasing: crate::erase::Erasing,
}

/// The custody key in force, and this member's part in it.
pub struct Custody {
    /// The public polynomial.
    pub public: custody::PublicKey,
    /// This member's share; none for a member that joined after the ceremony.
    pub steward: Option<custody::Steward>,
}

/// A command that is final, and what it brought about.
#[derive(Clone, Debug)]
pub struct Final {
    /// The command.
    pub command: CommandId,
    /// Its leaf in the log.
    pub index: u64,
    /// What it changed.
    pub event: Event,
}

impl Member {
    /// Puts a member together; the founders are the members of the genesis. Nothing runs yet: see
    /// [`Member::run`](crate::Member::run).
    pub fn new(
        id: MemberId,
        secret: NodeSecret,
        founders: Vec<ledger::Member>,
        chain: Arc<chain::Chain>,
        vault: Arc<dyn vault::Vault>,
        world: World,
    ) -> Arc<Member> {
        let network = chain.network().network;
        let keys = NodeKeys::derive(&secret.vault_secret());
        Arc::new(Member {
            id,
            network,
            world,
            chain,
            vault,
            secret,
            keys,
            scopes: Scopes::default(),
            sessions: Sessions::default(),
            parted: Parted::default(),
            conditional: Mutex::default(),
            feeds: Default::default(),
            decisions: Default::default(),
            founders,
            custody: RwLock::default(),
            policy: RwLock::default(),
            erasing: Default::default(),
        })
    }

    /// The custody key in force.
    ///
    /// # Errors
    /// [`FlowError::Unavailable`] until the ceremony has ended.
    pub fn custody(&self) -> Result<Arc<Custody>, FlowError> {
        let custody = self.custody.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        custody.clone().ok_or(FlowError::Unavailable(
            "the members have not finished the custody ceremony; try again in a moment",
        ))
    }

    pub(crate) fn put_custody(&self, custody: Custody) {
        let mut place = self.custody.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        *place = Some(Arc::new(custody));
    }

    /// Held while what a search has found or not found is acted upon, so that two writers that ask
    /// for the same thing do not both create it.
    pub(crate) fn conditional_writes(&self, is_conditional: bool) -> Option<MutexGuard<'_, ()>> {
        let hold = || self.conditional.lock().unwrap_or_else(PoisonError::into_inner);
        is_conditional.then(hold)
    }

    /// Signs a command of this member.
    pub(crate) fn command(&self, body: Body) -> (CommandId, Vec<u8>) {
        self.command_with_nonce(self.draw_nonce(), body)
    }

    pub(crate) fn draw_nonce(&self) -> u64 {
        u64::from_le_bytes(self.world.draw())
    }

    pub(crate) fn command_with_nonce(&self, nonce: u64, body: Body) -> (CommandId, Vec<u8>) {
        let command = Command {
            network: self.network,
            author: Author::Member(self.id),
            nonce,
            expires: self.now() + limits::COMMAND_LIFETIME_MS,
            body,
        };
        let id = command.id();
        (id, command.sign(&self.secret.command_key()).encode())
    }

    /// The time for the validity of commands: the clock, but never behind the ledger.
    pub(crate) fn now(&self) -> u64 {
        self.world.clock.now_ms().max(self.chain.tip().time)
    }

    /// Submits a command of this member and waits until it is final.
    pub async fn act(&self, body: Body) -> Result<Final, FlowError> {
        let (id, bytes) = self.command(body);
        self.submit_final(id, bytes).await
    }

    /// Submits a signed command and waits until it is final.
    ///
    /// # Errors
    /// [`FlowError::Rejected`] if the rules refused it, [`FlowError::NotFinal`] if it is not
    /// ordered in time.
    pub async fn submit_final(&self, id: CommandId, bytes: Vec<u8>) -> Result<Final, FlowError> {
        let (index, entry) = self.order(id, bytes).await?;
        match entry {
            Entry::Outcome { outcome: Outcome::Accepted(event), .. } => {
                Ok(Final { command: id, index, event })
            }
            Entry::Outcome { outcome: Outcome::Rejected(reject), .. } => {
                Err(FlowError::Rejected(reject))
            }
            _ => Err(FlowError::Fatal("the log has no outcome where one must be".to_owned())),
        }
    }

    async fn order(&self, id: CommandId, bytes: Vec<u8>) -> Result<(u64, Entry), FlowError> {
        let outcome = self.chain.wait(id);
        self.world.network.submit(bytes);
        match self.world.within(limits::FINAL_MS_MAX, outcome).await {
            Some(outcome) => Ok(outcome?),
            // What is there by now is a refusal of the key that signed, or nothing.
            None => self.chain.outcome(id)?.ok_or(FlowError::NotFinal),
        }
    }

    /// Submits a command that somebody else signed: a patient, or a program of theirs.
    ///
    /// # Errors
    /// [`FlowError::Rejected`] at once if it is not well signed, else as [`Member::submit_final`].
    pub async fn submit_signed(&self, bytes: Vec<u8>) -> Result<Final, FlowError> {
        let checked = self.chain.check_submissions(&[&bytes]).remove(0);
        let id = checked.map_err(FlowError::Rejected)?;
        self.submit_final(id, bytes).await
    }

    /// Passes on commands that somebody else signed, without waiting for what becomes of them.
    ///
    /// # Errors
    /// [`FlowError::Rejected`] if one is not well signed; then none is passed on.
    pub fn submit_unawaited(&self, commands: Vec<Vec<u8>>) -> Result<Vec<CommandId>, FlowError> {
        let bytes: Vec<&[u8]> = commands.iter().map(Vec::as_slice).collect();
        let checked = self.chain.check_submissions(&bytes).into_iter();
        let ids = checked.collect::<Result<_, _>>().map_err(FlowError::Rejected)?;
        commands.into_iter().for_each(|command| self.world.network.submit(command));
        Ok(ids)
    }

    /// How much this member's vault holds.
    pub fn counts(&self) -> Result<vault::Counts, FlowError> {
        Ok(self.vault.counts()?)
    }

    /// The policy under which this network's proofs are verified (`c2sp.org/tlog-policy`).
    pub fn proof_policy(&self) -> Result<String, FlowError> {
        Ok(self.chain.policy()?)
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Member({:?})", self.id)
    }
}
