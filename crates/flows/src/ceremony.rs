//! The custody ceremony, as this member plays it: it follows the ordered messages block by block, says
//! what it owes, and confirms the result. Nothing is kept but the seed: after a restart the same seed and
//! the same ordered messages give the same share again.

use custody::{
    Ceremony, CeremonyMember, CeremonySeed, CeremonySelf, CeremonySetting, PublicKey, Share,
    Steward, Windows,
};
use futures::StreamExt;
use ledger::{Author, Body, Entry, Event, Outcome};
use zeroize::Zeroizing;

use crate::{Custody, FlowError, Member, limits};

impl Member {
    /// Plays the ceremony to its end, then waits for ever.
    pub(crate) async fn ceremony_loop(&self) -> FlowError {
        match self.play().await {
            Ok(()) => std::future::pending().await,
            Err(error) => error,
        }
    }

    async fn play(&self) -> Result<(), FlowError> {
        let (mut number, mut opened) = (0, 0);
        loop {
            let mut follower = self.follow(number, opened)?;
            self.finish(&mut follower).await?;
            match follower.ceremony.outcome() {
                Some(Ok(outcome)) => {
                    let (public, share) = (outcome.public.clone(), outcome.share.clone());
                    return self.confirm(number, public, share).await;
                }
                _ => {
                    tracing::warn!(number, "the custody ceremony failed; the next one begins");
                    (number, opened) = (number + 1, follower.height);
                }
            }
        }
    }

    /// Opens a ceremony between the network's founders.
    fn follow(&self, number: u32, opened: u64) -> Result<Follower, FlowError> {
        let members = self.founders.iter();
        let setting = CeremonySetting {
            network: self.network,
            number,
            members: members
                .map(|member| CeremonyMember { id: member.id, key: member.command_key })
                .collect(),
            opened,
            windows: Windows::default(),
            previous: None,
        };
        let is_founder = self.founders.iter().any(|member| member.id == self.id);
        let me = is_founder.then(|| CeremonySelf {
            id: self.id,
            signing: Zeroizing::new(self.secret.command_key()),
            share: None,
        });
        let seed = CeremonySeed::from_bytes(*self.secret.ceremony_seed());
        let ceremony = Ceremony::new(setting, seed, me).map_err(unplayable)?;
        Ok(Follower { ceremony, number, height: opened, next: 0 })
    }

    /// Shows the ceremony every block until it ends.
    async fn finish(&self, follower: &mut Follower) -> Result<(), FlowError> {
        let mut blocks = self.chain.subscribe();
        let mut said = None;
        loop {
            follower.read(self)?;
            if follower.ceremony.outcome().is_some() {
                return Ok(());
            }
            if let Some(message) = follower.ceremony.pending()
                && said.as_ref() != Some(message)
            {
                said = Some(message.clone());
                let body = Body::Ceremony {
                    ceremony: follower.number,
                    round: message.round,
                    message: message.bytes.clone(),
                };
                let (_, command) = self.command(body);
                self.world.network.submit(command);
            }
            match self.world.within(RETRY_MS, blocks.next()).await {
                Some(Some(_)) => {}
                Some(None) => blocks = self.chain.subscribe(),
                None => said = None, // Nothing moves: say it again.
            }
        }
    }

    /// Puts the share to work, and tells the ledger what the ceremony led to.
    async fn confirm(
        &self,
        number: u32,
        public: PublicKey,
        share: Option<Share>,
    ) -> Result<(), FlowError> {
        let bytes = public.to_bytes();
        while share.is_some() && !self.has_confirmed(number)? {
            let body = Body::ConfirmCustody { ceremony: number, public: bytes.clone() };
            match self.act(body).await {
                Ok(_) => break,
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => tracing::debug!(%error, "the custody key is not confirmed yet"),
            }
        }
        let mut blocks = self.chain.subscribe();
        while self.custody_in_force() != Some(bytes.clone()) {
            self.world.within(limits::LOOP_MS, blocks.next()).await;
        }
        let steward = share.map(|share| {
            Steward::new(self.network, public.clone(), self.id, share, self.secret.command_key())
        });
        let steward = steward.transpose().map_err(unplayable)?;
        self.put_custody(Custody { public, steward });
        Ok(())
    }

    fn custody_in_force(&self) -> Option<Vec<u8>> {
        self.chain.network().custody.as_ref().map(|custody| custody.public.clone())
    }

    fn has_confirmed(&self, number: u32) -> Result<bool, FlowError> {
        let network = self.chain.network();
        if network.custody.as_ref().is_some_and(|custody| custody.ceremony >= number) {
            return Ok(true);
        }
        let me = network.speakers.iter().find(|speaker| speaker.member == self.id);
        Ok(me.is_some_and(|me| me.ceremony == number && me.confirmed.is_some()))
    }
}

/// A ceremony and how much of the log it has seen.
struct Follower {
    ceremony: Ceremony,
    number: u32,
    height: u64,
    next: u64,
}

impl Follower {
    /// Shows the ceremony what is new in the log, up to its end.
    fn read(&mut self, member: &Member) -> Result<(), FlowError> {
        let size = member.chain.tip().size;
        while self.next < size && self.ceremony.outcome().is_none() {
            let to = size.min(self.next + ENTRIES_AT_ONCE);
            for entry in member.chain.entries(self.next..to)? {
                self.next += 1;
                self.see(entry);
                if self.ceremony.outcome().is_some() {
                    break;
                }
            }
        }
        Ok(())
    }

    fn see(&mut self, entry: Entry) {
        match entry {
            Entry::Outcome {
                height,
                author: Author::Member(from),
                outcome: Outcome::Accepted(Event::CeremonySpoken { ceremony, round, message }),
                ..
            } if ceremony == self.number && height > self.height => {
                self.ceremony.on_message(from, round, &message);
            }
            Entry::Block { height, .. } if height > self.height => {
                self.height = height;
                self.ceremony.on_block(height);
            }
            _ => {}
        }
    }
}

fn unplayable(error: impl ToString) -> FlowError {
    FlowError::Fatal(format!("the custody ceremony cannot be held: {}", error.to_string()))
}

/// How long to wait for a sign of life before a message is said again, in milliseconds.
const RETRY_MS: u64 = 5_000;

/// Log entries read in one go.
const ENTRIES_AT_ONCE: u64 = 1_000;
