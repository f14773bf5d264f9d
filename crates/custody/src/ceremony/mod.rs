//! How the members make the custody key together, or hand it to new members, over the ledger.
//!
//! The protocol is the joint Feldman key generation (Gennaro et al., Eurocrypt 1999) and Desmedt's
//! resharing (1997) of the threshold library, with the ledger as its broadcast channel: every
//! member sees the same messages in the same order, and so reaches the same end.
//!
//! | round | who speaks | what |
//! |---|---|---|
//! | 1 deal | dealers | a commitment to a random polynomial; each player's value of it, sealed |
//! | 2 acknowledge | players | a signature on each dealing whose value was there and right |
//! | 3 publish | dealers | the acknowledgements; the values of those who gave none, at most f |
//!
//! A member's first message in a round counts, whatever it is; later ones, and messages outside
//! their round, are ignored. A round closes at the end of the first block after which all of its
//! speakers have spoken, or its window is over; the next one opens with that block. At the close of
//! round 3 the first n - f usable dealings make the key, or too few are usable and the ceremony
//! fails.
//!
//! In a new ceremony everybody deals and plays; in a resharing those deal who hold a share of the
//! previous key, so that the group key, and all that was ever sealed to it, stays.
//!
//! # What may go wrong
//! - Up to f members may be silent, say garbage, deal wrong values or publish wrong logs.
//! - An honest member that misses round 2 has its values published, but no more than f do, for a
//!   dealing with more is void: with f dishonest members the adversary knows 2f values of the
//!   2f + 1 it takes. [`Outcome::exposed`] names such members; share the key anew soon.
//! - A member that crashes makes a new [`Ceremony`] from the same setting and seed, and shows it
//!   the ordered messages again: it says the same as before.

mod message;
mod outcome;
mod party;
mod rounds;
mod setting;

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use commonware_cryptography::bls12381::{
    dkg::feldman_desmedt::{self, Logs},
    primitives::variant::MinSig,
};
use commonware_utils::N3f1;
use ed25519_zebra::SigningKey;
use ledger::MemberId;
use zeroize::Zeroizing;

use message::Dealing;
use party::{Party, PartySigner};
use setting::Info;

pub use outcome::{CeremonyFailure, Outcome};
pub use setting::{
    CeremonyMember, CeremonySeed, CeremonySelf, CeremonySetting, SetupError, Windows,
};

type Dealer = feldman_desmedt::Dealer<MinSig, PartySigner>;
type Player = feldman_desmedt::Player<MinSig, PartySigner>;

/// A round of the ceremony, as numbered on the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Round {
    /// Dealers deal.
    Deal = 1,
    /// Players acknowledge.
    Acknowledge = 2,
    /// Dealers publish their logs.
    Publish = 3,
}

/// A message to submit to the ledger, at most `CEREMONY_BYTES_MAX` long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CeremonyMessage {
    /// The round, as [`Round`] numbers them.
    pub round: u8,
    /// The message.
    pub bytes: Vec<u8>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// It counts.
    Taken,
    /// It is its sender's one message of the round, and worthless.
    Worthless,
    /// Its round is not open.
    OutOfRound,
    /// Its sender has no say in this round.
    NotASpeaker,
    /// Its sender has spoken in this round.
    Repeated,
}

/// One ceremony, as one member or observer follows it on the ledger.
///
/// Call [`Ceremony::on_message`] for each message of a block in its order, then
/// [`Ceremony::on_block`] for the block, for every block after the opening one. Whenever
/// [`Ceremony::pending`] has a message, see to it that it gets on the ledger.
pub struct Ceremony {
    // What all know.
    setting: CeremonySetting,
    info: Info,
    dealers: Vec<Party>,
    players: Vec<Party>,

    // What the ledger said.
    round: Round,
    opened: u64,
    height: u64,
    spoken: BTreeSet<MemberId>,
    dealings: BTreeMap<MemberId, Dealing>,
    logs: Logs<MinSig, Party, N3f1>,
    outcome: Option<Result<Outcome, CeremonyFailure>>,

    // What only we know.
    seed: CeremonySeed,
    me: Option<Me>,
    pending: Option<CeremonyMessage>,
}

/// Our own part.
struct Me {
    id: MemberId,
    signing: Zeroizing<SigningKey>,
    dealer: Option<(Dealer, Vec<u8>)>,
    player: Option<Player>,
}

impl Ceremony {
    /// Opens a ceremony. `me` is `None` for an observer, which reaches the same public outcome.
    ///
    /// The same setting, seed and `me` make the same ceremony again.
    ///
    /// # Errors
    /// [`SetupError`] if it cannot be held, or we cannot take part in it.
    pub fn new(
        setting: CeremonySetting,
        seed: CeremonySeed,
        me: Option<CeremonySelf>,
    ) -> Result<Ceremony, SetupError> {
        let players = setting.players()?;
        let dealers = setting.dealers(&players)?;
        let info = setting.info(&dealers, &players)?;
        let mut ceremony = Ceremony {
            logs: Logs::new(info.clone()),
            info,
            dealers,
            players,
            round: Round::Deal,
            opened: setting.opened,
            height: setting.opened,
            spoken: BTreeSet::new(),
            dealings: BTreeMap::new(),
            outcome: None,
            me: None,
            pending: None,
            setting,
            seed,
        };
        ceremony.me = me.map(|me| ceremony.join(me)).transpose()?;
        Ok(ceremony)
    }

    /// The message that we owe the ledger now: ours of the open round, until it has been ordered.
    /// Submitting it more than once is harmless.
    pub fn pending(&self) -> Option<&CeremonyMessage> {
        self.pending.as_ref()
    }

    /// The open round; after the outcome, the last one.
    pub fn round(&self) -> Round {
        self.round
    }

    /// Members that have not spoken in the open round.
    pub fn awaited(&self) -> Vec<MemberId> {
        let ids = self.speakers().iter().map(Party::member);
        ids.filter(|id| !self.spoken.contains(id)).collect()
    }

    /// The end, once it is reached: the same at everybody, but for the share.
    pub fn outcome(&self) -> Option<Result<&Outcome, &CeremonyFailure>> {
        self.outcome.as_ref().map(Result::as_ref)
    }

    /// Takes an ordered message. `from` is the author of the command, whose signature was checked.
    pub fn on_message(&mut self, from: MemberId, round: u8, bytes: &[u8]) -> Reception {
        if self.outcome.is_some() || round != self.round as u8 {
            return Reception::OutOfRound;
        }
        let Some(speaker) = self.speakers().iter().find(|party| party.member() == from).cloned()
        else {
            return Reception::NotASpeaker;
        };
        if !self.spoken.insert(from) {
            return Reception::Repeated;
        }
        if self.me.as_ref().is_some_and(|me| me.id == from) {
            self.pending = None;
        }
        let taken = match self.round {
            Round::Deal => self.take_dealing(from, bytes),
            Round::Acknowledge => self.take_acknowledgements(speaker, bytes),
            Round::Publish => self.take_log(&speaker, bytes),
        };
        if taken.is_some() { Reception::Taken } else { Reception::Worthless }
    }

    /// Takes the end of a block. Heights that do not rise are ignored.
    pub fn on_block(&mut self, height: u64) {
        if height <= self.height || self.outcome.is_some() {
            return;
        }
        self.height = height;
        if height - self.opened < self.window() && self.spoken.len() < self.speakers().len() {
            return;
        }
        self.spoken.clear();
        self.pending = None;
        self.opened = height;
        match self.round {
            Round::Deal => self.close_dealing(),
            Round::Acknowledge => self.close_acknowledging(),
            Round::Publish => self.close_publishing(),
        }
    }
}

impl fmt::Debug for Ceremony {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, members) = (self.setting.number, self.players.len());
        write!(f, "Ceremony({number}, {members} members, {:?})", self.round)
    }
}
