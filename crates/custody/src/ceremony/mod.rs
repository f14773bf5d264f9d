//! How the members make the custody key together, or hand it to new members, over the ledger.
//!
//! The protocol is the joint Feldman key generation (Gennaro et al., Eurocrypt 1999) and Desmedt's
//! resharing (1997) of the threshold library, with the ledger as its broadcast channel: every member
//! sees the same messages in the same order, and so reaches the same end.
//!
//! | round | who speaks | what |
//! |---|---|---|
//! | 1 deal | dealers | a commitment to a random polynomial, and each player's value of it, sealed |
//! | 2 acknowledge | players | a signature on each dealing whose value was there and right |
//! | 3 publish | dealers | the acknowledgements, and the bare values of those who gave none, at most f |
//!
//! A member's first message in a round counts, whatever it is; later ones, and messages outside
//! their round, are ignored. A round closes at the end of the first block after which all of its
//! speakers have spoken, or its window is over; the next one opens with that block. At the close of
//! round 3 the first n - f usable dealings make the key, or too few are usable and the ceremony fails.
//!
//! In a new ceremony everybody deals and plays; in a resharing those deal who hold a share of the
//! previous key, so that the group key, and all that was ever sealed to it, stays.
//!
//! # What may go wrong
//! - Up to f members may be silent, say garbage, deal wrong values or publish wrong logs.
//! - An honest member that misses round 2 has its values published, but no more than f do, for a
//!   dealing with more is void: with f dishonest members the adversary knows 2f values of the 2f + 1
//!   it takes. [`Outcome::exposed`] names such members; share the key anew soon.
//! - A member that crashes makes a new [`Ceremony`] from the same setting and seed, and shows it the
//!   ordered messages again: it says the same as before.

mod message;
mod party;
mod setting;

use core::{fmt, num::NonZeroU32};
use std::collections::{BTreeMap, BTreeSet};

use commonware_codec::Encode;
use commonware_cryptography::bls12381::{
    dkg::feldman_desmedt::{self, DealerPrivMsg, Error, Failure, FinalizeError, Logs, observe},
    primitives::{group, variant::MinSig},
};
use commonware_parallel::Sequential;
use commonware_utils::N3f1;
use ed25519_zebra::SigningKey;
use ledger::MemberId;
use rand_chacha::ChaCha20Rng;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{PublicKey, Share, sealed_box};
use message::{Acknowledgements, Dealing, PublishedLog, SealedShare, share_from_bytes};
use party::{Party, PartySigner};
use setting::{Info, count};

pub use setting::{
    CeremonyMember, CeremonySeed, CeremonySelf, CeremonySetting, SetupError, Windows,
};

type Dealer = feldman_desmedt::Dealer<MinSig, PartySigner>;
type Player = feldman_desmedt::Player<MinSig, PartySigner>;
type Output = feldman_desmedt::Output<MinSig, Party>;

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

/// What a ceremony leads to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The custody key, the same at every member.
    pub public: PublicKey,
    /// Our share; none for an observer, or for a member that lost the key its shares were sealed to.
    pub share: Option<Share>,
    /// Whose dealings the key is made of.
    pub dealers: Vec<MemberId>,
    /// Members whose shares can be computed from what was published; at most f honest ones.
    pub exposed: Vec<MemberId>,
}

/// Why a ceremony leads to nothing. Hold another one, with the next number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CeremonyFailure {
    /// Fewer usable dealings than a key is made of.
    #[error("{found} usable dealings of the {required} needed; hold another ceremony")]
    TooFewDealings {
        /// Dealings it takes.
        required: u32,
        /// Dealings there are.
        found: u32,
        /// Dealers whose signed logs are provably wrong.
        faulty: Vec<MemberId>,
        /// Dealers without a usable log.
        silent: Vec<MemberId>,
    },
    /// The dealings cancel each other out, which no more happens by chance than a guessed key.
    #[error("the dealings do not add up to a key; hold another ceremony")]
    Degenerate,
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

impl Ceremony {
    fn speakers(&self) -> &[Party] {
        match self.round {
            Round::Deal | Round::Publish => &self.dealers,
            Round::Acknowledge => &self.players,
        }
    }

    fn window(&self) -> u64 {
        match self.round {
            Round::Deal => self.setting.windows.deal,
            Round::Acknowledge => self.setting.windows.acknowledge,
            Round::Publish => self.setting.windows.publish,
        }
    }

    /// Takes our seat, and prepares our dealing if we deal.
    fn join(&mut self, me: CeremonySelf) -> Result<Me, SetupError> {
        let party = self.players.iter().find(|party| party.member() == me.id);
        let signer = party.and_then(|party| PartySigner::new(party.clone(), &me.signing));
        let signer = signer.ok_or(SetupError::NotAMember)?;
        let player = Player::new(self.info.clone(), signer.clone());
        let player = player.map_err(|_| SetupError::NotAMember)?;
        let share = match (&self.setting.previous, &me.share) {
            (Some(previous), Some(share)) => {
                share.check(previous).map_err(|_| SetupError::ForeignShare)?;
                if previous.index_of(&me.id) != Some(share.index()) {
                    return Err(SetupError::ForeignShare);
                }
                Some(share.inner().clone())
            }
            _ => None,
        };
        let deals = self.setting.previous.is_none() || share.is_some();
        let dealer = if deals { Some(self.deal(signer, share)?) } else { None };
        let bytes = dealer.as_ref().map(|(_, bytes)| bytes.clone());
        self.pending = bytes.map(|bytes| CeremonyMessage { round: Round::Deal as u8, bytes });
        Ok(Me { id: me.id, signing: me.signing, dealer, player: Some(player) })
    }

    /// Our dealing, the same whenever it is made.
    fn deal(
        &self,
        signer: PartySigner,
        share: Option<group::Share>,
    ) -> Result<(Dealer, Vec<u8>), SetupError> {
        let dealer_id = commonware_cryptography::Signer::public_key(&signer).member();
        let stream = self.seed.stream(&self.setting, b"dealing");
        let (dealer, commitment, shares) =
            Dealer::start::<N3f1>(stream, self.info.clone(), signer, share)
                .map_err(|_| SetupError::NotAMember)?;
        let mut stream = self.seed.stream(&self.setting, b"sealing");
        let committed = commitment.encode();
        let boxes = shares.iter().map(|(player, share)| {
            let aad = share_aad(dealer_id, player.member(), &committed);
            self.seal_share(&mut stream, player, &aad, share)
        });
        let boxes = boxes.collect::<Result<_, _>>()?;
        let bytes = Dealing { commitment, boxes }.to_bytes();
        Ok((dealer, bytes))
    }

    fn seal_share(
        &self,
        rng: &mut impl CryptoRng,
        player: &Party,
        aad: &[u8],
        share: &DealerPrivMsg,
    ) -> Result<SealedShare, SetupError> {
        let share = Zeroizing::new(share.encode().to_vec());
        let sealed = sealed_box::seal_to(rng, &player.key(), &self.share_info(), aad, &share);
        let sealed = sealed.ok().and_then(|sealed| sealed.try_into().ok());
        sealed.ok_or(SetupError::MemberKey(player.member()))
    }

    fn share_info(&self) -> Vec<u8> {
        let number = self.setting.number.to_le_bytes();
        [SHARE_DOMAIN, &self.setting.network.0, &number].concat()
    }

    fn take_dealing(&mut self, from: MemberId, bytes: &[u8]) -> Option<()> {
        if let Some(me) = self.me.as_mut().filter(|me| me.id == from)
            && me.dealer.as_ref().is_some_and(|(_, ours)| ours != bytes)
        {
            // Somebody else dealt with our key, or we with another seed: this dealing is not ours to
            // stand for, and revealing shares of the one in our hands could only do harm.
            me.dealer = None;
        }
        let dealing = Dealing::from_bytes(bytes, self.player_count())?;
        self.dealings.insert(from, dealing);
        Some(())
    }

    fn take_acknowledgements(&mut self, from: Party, bytes: &[u8]) -> Option<()> {
        let Acknowledgements(list) = Acknowledgements::from_bytes(bytes)?;
        let Some(me) = &mut self.me else { return Some(()) };
        let ours = self.dealers.iter().position(|party| party.member() == me.id);
        let found = list.into_iter().find(|(dealer, _)| Some(usize::from(*dealer)) == ours);
        if let (Some((dealer, _)), Some((_, signature))) = (&mut me.dealer, found) {
            dealer.receive_player_ack(from, signature).ok()?;
        }
        Some(())
    }

    fn take_log(&mut self, from: &Party, bytes: &[u8]) -> Option<()> {
        let dealing = self.dealings.get(&from.member())?;
        let players = self.player_count();
        let log = PublishedLog::from_bytes(bytes, from, &dealing.commitment, players)?;
        let (dealer, log) = log.0.check(&self.info)?;
        self.logs.record(dealer, log);
        Some(())
    }

    /// Round 1 is over: check what was dealt to us, and sign what is right.
    fn close_dealing(&mut self) {
        self.round = Round::Acknowledge;
        let info = self.share_info();
        let Some(me) = &mut self.me else { return };
        if !self.dealings.contains_key(&me.id) {
            me.dealer = None;
        }
        let Some(player) = &mut me.player else { return };
        let place = self.players.iter().position(|party| party.member() == me.id);
        let mut signatures = Vec::new();
        for (number, dealer) in (0u8..).zip(&self.dealers) {
            let Some(dealing) = self.dealings.get(&dealer.member()) else { continue };
            let aad = share_aad(dealer.member(), me.id, &dealing.commitment.encode());
            let sealed = place.and_then(|place| dealing.boxes.get(place));
            let share = sealed
                .and_then(|sealed| sealed_box::open_with(&me.signing, &info, &aad, sealed))
                .and_then(|opened| share_from_bytes(&opened));
            let Some(share) = share else { continue };
            let commitment = dealing.commitment.clone();
            let checked = player.dealer_message::<N3f1>(dealer.clone(), commitment, share);
            if let Ok(Some(signature)) = checked {
                signatures.push((number, signature));
            }
        }
        let bytes = Acknowledgements(signatures).to_bytes();
        self.pending = Some(CeremonyMessage { round: Round::Acknowledge as u8, bytes });
    }

    /// Round 2 is over: publish who acknowledged our dealing, and the values of those who did not.
    fn close_acknowledging(&mut self) {
        self.round = Round::Publish;
        let dealer = self.me.as_mut().and_then(|me| me.dealer.take());
        self.pending = dealer.map(|(dealer, _)| {
            let bytes = PublishedLog(dealer.finalize::<N3f1>()).to_bytes();
            CeremonyMessage { round: Round::Publish as u8, bytes }
        });
    }

    /// Round 3 is over: add up.
    fn close_publishing(&mut self) {
        // The weights of the library's batch checks: nobody else may foresee them.
        let mut rng = self.seed.stream(&self.setting, b"checking");
        let player = self.me.as_mut().and_then(|me| me.player.take());
        let finished = match player {
            Some(player) => self.finish(&mut rng, player),
            None => observe(&mut rng, self.logs.clone(), &Sequential).map(|output| (output, None)),
        };
        self.outcome = Some(match finished {
            Ok((output, share)) => self.conclude(&output, share),
            Err(failure) => Err(name_failure(failure)),
        });
    }

    fn finish(
        &self,
        rng: &mut ChaCha20Rng,
        player: Player,
    ) -> Result<(Output, Option<group::Share>), Failure<Party>> {
        match player.finalize::<N3f1>(rng, self.logs.clone(), &Sequential) {
            Ok((output, share)) => Ok((output, Some(share))),
            Err(FinalizeError::Failure(failure)) => Err(failure),
            // We acknowledged, some time, what we cannot open now. The key stands; our share is lost.
            Err(FinalizeError::Error(
                Error::MissingPlayerDealing | Error::InvalidPersistedDealing { .. },
            )) => observe(rng, self.logs.clone(), &Sequential).map(|output| (output, None)),
            Err(FinalizeError::Error(error)) => unreachable!("the logs are of this round: {error}"),
        }
    }

    fn conclude(
        &self,
        output: &Output,
        share: Option<group::Share>,
    ) -> Result<Outcome, CeremonyFailure> {
        let stewards = output.players().iter().map(Party::member).collect();
        let public = PublicKey::new(output.public().clone(), stewards)
            .map_err(|_| CeremonyFailure::Degenerate)?;
        let share = share.map(Share::new).filter(|share| share.check(&public).is_ok());
        let dealers = output.dealers().iter().map(Party::member).collect();
        let exposed = output.revealed().iter().map(Party::member).collect();
        Ok(Outcome { public, share, dealers, exposed })
    }

    fn player_count(&self) -> NonZeroU32 {
        NonZeroU32::new(count(&self.players)).expect("a ceremony has members")
    }
}

fn name_failure(failure: Failure<Party>) -> CeremonyFailure {
    let Failure::InsufficientLogs { required, found, faults, unavailable } = failure;
    CeremonyFailure::TooFewDealings {
        required,
        found,
        faulty: faults.iter().map(Party::member).collect(),
        silent: unavailable.iter().map(Party::member).collect(),
    }
}

/// Binds a box to its dealer, player and commitment: nobody can pass it off as part of its own dealing.
fn share_aad(dealer: MemberId, player: MemberId, commitment: &[u8]) -> Vec<u8> {
    [dealer.0, player.0, proof::sha256(&[commitment])].concat()
}

const SHARE_DOMAIN: &[u8] = b"carestone/ceremony-share/v1\n";
