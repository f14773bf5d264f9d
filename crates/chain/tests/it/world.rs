//! A small network, its patients, and stories that they play: blocks of signed commands, drawn from a
//! seed. The same seed gives the same bytes.

use std::path::Path;

use chain::{Block, Chain, Tuning};
use ledger::sign::{SigningKey, VerificationKey};
use ledger::{
    AccessId, Authenticator, Author, Body, Category, CategorySet, Command, EmergencyReason,
    Genesis, GrantId, Member, MemberId, PatientId, Purpose, ReaderKey, Request, StaffRef, Terms,
};

/// SplitMix64: small, seeded, good enough to choose with.
#[derive(Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.chunks_exact_mut(8).for_each(|part| part.copy_from_slice(&self.next().to_le_bytes()));
        bytes
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        (!list.is_empty()).then(|| &list[self.below(list.len() as u64) as usize])
    }
}

pub struct Hospital {
    pub id: MemberId,
    pub command: SigningKey,
    pub cosign_seed: [u8; 32],
    next_record: u64,
}

pub struct Person {
    pub id: PatientId,
    pub key: SigningKey,
    pub nonce: u64,
    grants: Vec<(GrantId, MemberId)>,
    accesses: Vec<(AccessId, usize)>,
}

pub struct World {
    pub genesis: Genesis,
    /// In the order of their ids, as in the genesis.
    pub hospitals: Vec<Hospital>,
    pub people: Vec<Person>,
    pub dice: Dice,
    pub time: u64,
    pub height: u64,
    /// Commands ordered lately, for replays.
    ordered: Vec<Vec<u8>>,
}

impl World {
    /// A network of `hospitals` members without patients.
    pub fn new(seed: u64, hospitals: usize) -> World {
        let mut dice = Dice(seed);
        let mut hospitals: Vec<(Member, Hospital)> =
            (0..hospitals).map(|_| hospital(&mut dice)).collect();
        hospitals.sort_by_key(|(member, _)| member.id);
        let (members, hospitals) = hospitals.into_iter().unzip();
        let genesis = Genesis {
            name: "Test network".into(),
            origin: "example.org/carestone".into(),
            members,
            origins: Vec::new(),
            created_ms: START_MS,
            epoch_blocks: 100,
        };
        genesis.validate().expect("a good genesis");
        let (people, ordered) = (Vec::new(), Vec::new());
        World { genesis, hospitals, people, dice, time: START_MS, height: 0, ordered }
    }

    /// The next block, with a little time since the last one.
    pub fn block(&mut self, commands: Vec<Vec<u8>>) -> Block {
        self.time += 1 + self.dice.below(2_000);
        self.height += 1;
        Block { height: self.height, time: self.time, commands }
    }

    /// The next block of a story with up to `commands_max` commands, some of them bad.
    pub fn story_block(&mut self, commands_max: u64) -> Block {
        if self.dice.below(12) == 0 {
            self.time += self.dice.below(5 * 60 * 60 * 1_000);
        }
        let count = self.dice.below(commands_max + 1);
        let commands: Vec<Vec<u8>> = (0..count).map(|_| self.any_command()).collect();
        self.ordered.extend(commands.iter().cloned());
        let excess = self.ordered.len().saturating_sub(50);
        self.ordered.drain(..excess);
        self.block(commands)
    }

    fn any_command(&mut self) -> Vec<u8> {
        let member = self.dice.below(self.hospitals.len() as u64) as usize;
        let person = self.dice.below(self.people.len().max(1) as u64) as usize;
        if self.people.is_empty() {
            return self.enrol(member).1;
        }
        match self.dice.below(20) {
            0 | 1 => self.enrol(member).1,
            2..=4 => self.grant(person, member),
            5 => self.revoke(person),
            6..=10 => self.open_access(member, person),
            11 => self.break_glass(member, person),
            12 => self.close_access(person),
            13..=15 => self.anchor(member, 1 + (self.height as u32 % 7)),
            16 => self.restrict(person),
            17 => self.dice.pick(&self.ordered.clone()).cloned().unwrap_or_default(),
            _ => self.bad_command(member, person),
        }
    }

    fn bad_command(&mut self, member: usize, person: usize) -> Vec<u8> {
        let mut bytes = self.open_access(member, person);
        match self.dice.below(4) {
            0 => {
                let last = bytes.len() - 1;
                bytes[last] ^= 1;
                bytes
            }
            1 => self.dice.bytes().to_vec(),
            2 => Vec::new(),
            _ => self.by_member(member, Body::Revoke(GrantId([0; 32]))),
        }
    }

    pub fn enrol(&mut self, member: usize) -> (PatientId, Vec<u8>) {
        let id = PatientId(self.dice.bytes());
        let key = SigningKey::from(self.dice.bytes());
        let authenticators = vec![Authenticator::Ed25519(VerificationKey::from(&key).into())];
        let (grants, accesses) = (Vec::new(), Vec::new());
        self.people.push(Person { id, key, nonce: 0, grants, accesses });
        (id, self.by_member(member, Body::Enrol { patient: id, authenticators }))
    }

    pub fn grant(&mut self, person: usize, to: usize) -> Vec<u8> {
        let grantee = self.hospitals[to].id;
        let terms = Terms {
            grantee,
            categories: CategorySet::of(&[Category::Results, Category::Problems, Category::Vitals]),
            custodians: Vec::new(),
            purposes: vec![Purpose::Treatment],
            from: self.time,
            until: self.time + 1_000 * (60 + self.dice.below(1_000_000)),
            accesses_max: (self.dice.below(3) == 0).then_some(3),
            sentence: self.dice.bytes(),
        };
        let command = self.patient_command(person, Body::Grant(terms));
        let id = GrantId(command.id().0);
        self.people[person].grants.push((id, grantee));
        command.sign(&self.people[person].key).encode()
    }

    pub fn revoke(&mut self, person: usize) -> Vec<u8> {
        match self.people[person].grants.pop() {
            Some((grant, _)) => self.by_patient(person, Body::Revoke(grant)),
            None => {
                // Will be refused, and a refused command does not count.
                let bytes = self.by_patient(person, Body::Revoke(GrantId([9; 32])));
                self.people[person].nonce -= 1;
                bytes
            }
        }
    }

    pub fn restrict(&mut self, person: usize) -> Vec<u8> {
        let categories = CategorySet::of(&[Category::Results]);
        self.by_patient(person, Body::Restrict { categories, custodians: Vec::new() })
    }

    pub fn open_access(&mut self, member: usize, person: usize) -> Vec<u8> {
        let command = self.access_command(member, person, None);
        self.people[person].accesses.push((AccessId(command.id().0), member));
        command.sign(&self.hospitals[member].command).encode()
    }

    pub fn break_glass(&mut self, member: usize, person: usize) -> Vec<u8> {
        let command = self.access_command(member, person, Some(EmergencyReason::ImmediateDanger));
        self.people[person].accesses.push((AccessId(command.id().0), member));
        command.sign(&self.hospitals[member].command).encode()
    }

    fn close_access(&mut self, person: usize) -> Vec<u8> {
        let patient = self.people[person].id;
        let (access, member) = self.people[person].accesses.pop().unwrap_or((AccessId([9; 32]), 0));
        self.by_member(member, Body::CloseAccess { patient, access })
    }

    pub fn anchor(&mut self, member: usize, count: u32) -> Vec<u8> {
        let root = self.dice.bytes();
        self.anchor_root(member, count, root)
    }

    pub fn anchor_root(&mut self, member: usize, count: u32, root: [u8; 32]) -> Vec<u8> {
        let first = self.hospitals[member].next_record;
        self.hospitals[member].next_record += u64::from(count);
        self.by_member(member, Body::Anchor { first, count, root })
    }

    fn access_command(
        &mut self,
        member: usize,
        person: usize,
        emergency: Option<EmergencyReason>,
    ) -> Command {
        let (network, reader) = (self.genesis.id(), self.hospitals[member].id);
        let (patient, nonce) = (self.people[person].id, self.dice.next());
        let key = SigningKey::from(self.dice.bytes());
        let request = Request {
            patient,
            categories: CategorySet::of(&[Category::Results, Category::Problems]),
            custodians: Vec::new(),
            purpose: match emergency {
                Some(_) => Purpose::EmergencyTreatment,
                None => Purpose::Treatment,
            },
            staff: StaffRef(self.dice.bytes()),
            duration_ms: 1_000 + self.dice.below(1_000_000),
            reader_key: ReaderKey::prove(&key, &network, &reader, &patient, nonce),
        };
        let body = match emergency {
            Some(reason) => Body::BreakGlass { reason, request },
            None => Body::OpenAccess(request),
        };
        let expires = self.time + LIFETIME_MS;
        Command { network, author: Author::Member(reader), nonce, expires, body }
    }

    pub fn by_member(&mut self, member: usize, body: Body) -> Vec<u8> {
        let hospital = &self.hospitals[member];
        let command = Command {
            network: self.genesis.id(),
            author: Author::Member(hospital.id),
            nonce: self.dice.next(),
            expires: self.time + LIFETIME_MS,
            body,
        };
        command.sign(&hospital.command).encode()
    }

    fn by_patient(&mut self, person: usize, body: Body) -> Vec<u8> {
        self.patient_command(person, body).sign(&self.people[person].key).encode()
    }

    fn patient_command(&mut self, person: usize, body: Body) -> Command {
        let person = &mut self.people[person];
        let nonce = person.nonce;
        person.nonce += 1;
        Command {
            network: self.genesis.id(),
            author: Author::Patient(person.id),
            nonce,
            expires: self.time + LIFETIME_MS,
            body,
        }
    }

    /// Every hospital in `who` cosigns the chain's tip; the signatures.
    pub fn cosign(&self, chain: &Chain, who: impl IntoIterator<Item = usize>) {
        for member in who {
            let seed = &self.hospitals[member].cosign_seed;
            chain.cosign(seed, chain.tip().time / 1_000).expect("cosigned");
        }
    }
}

/// On each store: a chain in memory, one on disk, and one on disk that flushes all the time.
pub fn on_each_store(genesis: &Genesis, test: impl Fn(Chain)) {
    test(Chain::open(None, genesis).expect("opens"));
    let folder = tempfile::tempdir().expect("a folder");
    test(Chain::open(Some(folder.path()), genesis).expect("opens"));
    test(on_disk(tempfile::tempdir().expect("a folder").path(), genesis, 40));
}

/// A chain on disk that keeps few rows in memory.
pub fn on_disk(folder: &Path, genesis: &Genesis, flush_rows: usize) -> Chain {
    Chain::open_tuned(Some(folder), genesis, Tuning { flush_rows }).expect("opens")
}

fn hospital(dice: &mut Dice) -> (Member, Hospital) {
    let command = SigningKey::from(dice.bytes());
    let cosign_seed = dice.bytes();
    let command_key = VerificationKey::from(&command).into();
    let id = Member::id_of(&command_key);
    let member = Member {
        id,
        name: "A hospital".into(),
        command_key,
        engine_key: proof::cosignature::public_key(&dice.bytes()),
        cosign_key: proof::cosignature::public_key(&cosign_seed),
        address: "127.0.0.1:7000".into(),
    };
    (member, Hospital { id, command, cosign_seed, next_record: 0 })
}

const START_MS: u64 = 1_790_000_000_000;
const LIFETIME_MS: u64 = 5 * 60 * 1_000;
