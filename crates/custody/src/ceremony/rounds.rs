//! What is done in each round, and at its close.

use core::num::NonZeroU32;

use commonware_codec::{Encode, EncodeFixed};
use commonware_cryptography::{
    Signer,
    bls12381::{
        dkg::feldman_desmedt::{self, DealerPrivMsg, Failure, FinalizeError, observe},
        primitives::{group, variant::MinSig},
    },
};
use commonware_parallel::Sequential;
use commonware_utils::N3f1;
use ledger::MemberId;
use rand_chacha::ChaCha20Rng;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{
    Ceremony, CeremonyMessage, CeremonySelf, Dealer, Me, Player, Round, SetupError,
    message::{Acknowledgements, Dealing, PublishedLog, SealedShare, share_from_bytes},
    outcome::{conclude, name_failure},
    party::{Party, PartySigner},
    setting::count,
};
use crate::sealed_box;

type Output = feldman_desmedt::Output<MinSig, Party>;

impl Ceremony {
    pub(super) fn speakers(&self) -> &[Party] {
        match self.round {
            Round::Deal | Round::Publish => &self.dealers,
            Round::Acknowledge => &self.players,
        }
    }

    pub(super) fn window(&self) -> u64 {
        match self.round {
            Round::Deal => self.setting.windows.deal,
            Round::Acknowledge => self.setting.windows.acknowledge,
            Round::Publish => self.setting.windows.publish,
        }
    }

    /// Takes our seat, and prepares our dealing if we deal.
    pub(super) fn join(&mut self, me: CeremonySelf) -> Result<Me, SetupError> {
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
        let dealer_id = signer.public_key().member();
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
        let share = Zeroizing::new(share.encode_fixed::<32>());
        let sealed =
            sealed_box::seal_to(rng, &player.key(), &self.share_info(), aad, share.as_ref());
        let sealed = sealed.ok().and_then(|sealed| sealed.try_into().ok());
        sealed.ok_or(SetupError::MemberKey(player.member()))
    }

    fn share_info(&self) -> Vec<u8> {
        let number = self.setting.number.to_le_bytes();
        [SHARE_DOMAIN, &self.setting.network.0, &number].concat()
    }

    pub(super) fn take_dealing(&mut self, from: MemberId, bytes: &[u8]) -> Option<()> {
        if let Some(me) = self.me.as_mut().filter(|me| me.id == from)
            && me.dealer.as_ref().is_some_and(|(_, ours)| ours != bytes)
        {
            // Somebody else dealt with our key, or we with another seed: this dealing is not ours
            // to stand for, and revealing shares of the one in our hands could only do harm.
            me.dealer = None;
        }
        let dealing = Dealing::from_bytes(bytes, self.player_count())?;
        self.dealings.insert(from, dealing);
        Some(())
    }

    pub(super) fn take_acknowledgements(&mut self, from: Party, bytes: &[u8]) -> Option<()> {
        let Acknowledgements(list) = Acknowledgements::from_bytes(bytes)?;
        let Some(me) = &mut self.me else { return Some(()) };
        let ours = self.dealers.iter().position(|party| party.member() == me.id);
        let found = list.into_iter().find(|(dealer, _)| Some(usize::from(*dealer)) == ours);
        if let (Some((dealer, _)), Some((_, signature))) = (&mut me.dealer, found) {
            dealer.receive_player_ack(from, signature).ok()?;
        }
        Some(())
    }

    pub(super) fn take_log(&mut self, from: &Party, bytes: &[u8]) -> Option<()> {
        let dealing = self.dealings.get(&from.member())?;
        let players = self.player_count();
        let log = PublishedLog::from_bytes(bytes, from, &dealing.commitment, players)?;
        let (dealer, log) = log.0.check(&self.info)?;
        self.logs.record(dealer, log);
        Some(())
    }

    /// Round 1 is over: check what was dealt to us, and sign what is right.
    pub(super) fn close_dealing(&mut self) {
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
    pub(super) fn close_acknowledging(&mut self) {
        self.round = Round::Publish;
        let dealer = self.me.as_mut().and_then(|me| me.dealer.take());
        self.pending = dealer.map(|(dealer, _)| {
            let bytes = PublishedLog(dealer.finalize::<N3f1>()).to_bytes();
            CeremonyMessage { round: Round::Publish as u8, bytes }
        });
    }

    /// Round 3 is over: add up.
    pub(super) fn close_publishing(&mut self) {
        // The weights of the library's batch checks: nobody else may foresee them.
        let mut rng = self.seed.stream(&self.setting, b"checking");
        let player = self.me.as_mut().and_then(|me| me.player.take());
        let finished = match player {
            Some(player) => self.finish(&mut rng, player),
            None => observe(&mut rng, self.logs.clone(), &Sequential).map(|output| (output, None)),
        };
        self.outcome = Some(match finished {
            Ok((output, share)) => conclude(&output, share),
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
            // What we once acknowledged we cannot open now. The key stands; our share is lost.
            Err(FinalizeError::Error(_)) => {
                observe(rng, self.logs.clone(), &Sequential).map(|output| (output, None))
            }
        }
    }

    fn player_count(&self) -> NonZeroU32 {
        NonZeroU32::new(count(&self.players)).expect("a ceremony has members")
    }
}

/// Binds a box to its dealer, player and commitment: nobody can pass it off as part of its own
/// dealing.
fn share_aad(dealer: MemberId, player: MemberId, commitment: &[u8]) -> Vec<u8> {
    [dealer.0, player.0, proof::sha256(&[commitment])].concat()
}

const SHARE_DOMAIN: &[u8] = b"carestone/ceremony-share/v1\n";
