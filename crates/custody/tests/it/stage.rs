//! A ledger reduced to its order, and members that hold a ceremony on it.

use std::collections::BTreeMap;

use custody::{
    Ceremony, CeremonyMember, CeremonyMessage, CeremonySeed, CeremonySelf, CeremonySetting,
    PublicKey, Round, Share, Windows,
};
use ledger::MemberId;
use zeroize::Zeroizing;

use crate::support::{NETWORK, member};

/// Where ceremonies open.
const OPENED: u64 = 10;

/// A new key among members 0 to n - 1.
pub fn setting(n: usize) -> CeremonySetting {
    setting_of(&(0..n).collect::<Vec<_>>(), None)
}

pub fn setting_of(numbers: &[usize], previous: Option<PublicKey>) -> CeremonySetting {
    let members = numbers.iter().map(|number| {
        let (id, signing) = member(*number);
        CeremonyMember { id, key: signing.verification_key().into() }
    });
    CeremonySetting {
        network: NETWORK,
        number: u32::from(previous.is_some()),
        members: members.collect(),
        opened: OPENED,
        windows: Windows { deal: 5, acknowledge: 4, publish: 3 },
        previous,
    }
}

/// What member `number` brings.
pub fn seat(number: usize, share: Option<Share>) -> CeremonySelf {
    let (id, signing) = member(number);
    CeremonySelf { id, signing: Zeroizing::new(signing), share }
}

pub fn seed(number: usize) -> CeremonySeed {
    CeremonySeed::from_bytes([number as u8 + 1; 32])
}

pub fn act_honestly(_: usize, _: Round, bytes: Vec<u8>) -> Option<Vec<u8>> {
    Some(bytes)
}

/// Members of a ceremony, and the ledger they hold it on.
pub struct Stage {
    pub setting: CeremonySetting,
    pub numbers: Vec<usize>,
    pub members: Vec<Ceremony>,
    shares: Vec<Option<Share>>,
    pub height: u64,
    /// Messages in their order, with the height of their block.
    log: Vec<(u64, MemberId, u8, Vec<u8>)>,
    /// What a member owed at the end of a block; height 0 stands for before the first.
    pub owed: BTreeMap<(u64, usize), CeremonyMessage>,
}

impl Stage {
    pub fn new(n: usize) -> Stage {
        Stage::open(setting(n), (0..n).collect(), vec![None; n])
    }

    pub fn open(
        setting: CeremonySetting,
        numbers: Vec<usize>,
        shares: Vec<Option<Share>>,
    ) -> Stage {
        let members = numbers.iter().zip(&shares).map(|(number, share)| {
            let seat = seat(*number, share.clone());
            Ceremony::new(setting.clone(), seed(*number), Some(seat)).unwrap()
        });
        let members = members.collect();
        let mut stage = Stage {
            setting,
            numbers,
            members,
            shares,
            height: OPENED,
            log: Vec::new(),
            owed: BTreeMap::new(),
        };
        (0..=OPENED).for_each(|height| stage.note_owed(height));
        stage
    }

    /// Runs blocks until the end. `act` decides what a member's message becomes on its way.
    pub fn play(&mut self, mut act: impl FnMut(usize, Round, Vec<u8>) -> Option<Vec<u8>>) {
        while self.members.iter().any(|member| member.outcome().is_none()) {
            self.height += 1;
            assert!(self.height < 100, "the ceremony must end");
            let pending: Vec<_> = self.members.iter().map(|m| m.pending().cloned()).collect();
            for (place, message) in pending.into_iter().enumerate() {
                let number = self.numbers[place];
                let round = self.members[place].round();
                let Some(message) = message else { continue };
                if let Some(bytes) = act(number, round, message.bytes.clone()) {
                    self.order(place, &message, bytes);
                }
            }
            self.members.iter_mut().for_each(|member| member.on_block(self.height));
            self.note_owed(self.height);
        }
    }

    /// Everybody hears what was ordered, but a liar believes that it said what it meant to say, and
    /// so goes on with its part.
    fn order(&mut self, speaker: usize, meant: &CeremonyMessage, said: Vec<u8>) {
        let from = member(self.numbers[speaker]).0;
        for (place, member) in self.members.iter_mut().enumerate() {
            let heard = if place == speaker { &meant.bytes } else { &said };
            member.on_message(from, meant.round, heard);
        }
        self.log.push((self.height, from, meant.round, said));
    }

    fn note_owed(&mut self, height: u64) {
        for (place, member) in self.members.iter().enumerate() {
            if let Some(message) = member.pending() {
                self.owed.insert((height, place), message.clone());
            }
        }
    }

    /// A member that starts again and is shown the ledger up to a height.
    pub fn again(&self, place: usize, height: u64) -> Ceremony {
        self.replay(Some(place), seed(self.numbers[place]), height)
    }

    pub fn replay(&self, place: Option<usize>, seed: CeremonySeed, height: u64) -> Ceremony {
        let me = place.map(|place| seat(self.numbers[place], self.shares[place].clone()));
        let mut ceremony = Ceremony::new(self.setting.clone(), seed, me).unwrap();
        for block in OPENED + 1..=self.height.min(height) {
            for (_, from, round, bytes) in self.log.iter().filter(|entry| entry.0 == block) {
                ceremony.on_message(*from, *round, bytes);
            }
            ceremony.on_block(block);
        }
        ceremony
    }

    pub fn public(&self, place: usize) -> PublicKey {
        self.members[place].outcome().unwrap().unwrap().public.clone()
    }

    pub fn share(&self, place: usize) -> Share {
        self.members[place].outcome().unwrap().unwrap().share.clone().unwrap()
    }
}
