//! A network in memory that applies blocks as a member does: it reads exactly the keys that the
//! ledger lists, so a rule that touched more would fail every test.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use ledger::{
    AccessId, AccessState, Account, Authenticator, Author, Body, Category, CategorySet,
    CheckContext, Checked, Command, CommandId, ConsentState, Decision, Entry, EpochState, Event,
    Genesis, GrantId, Key, Leaf, Member, MemberId, Moment, NetworkState, Origin, Outcome,
    PatientId, PatientView, Purpose, ReaderKey, Request, RestrictionId, Scope, SignedCommand,
    StaffRef, Terms, Working, codec,
    limits::ENDINGS_PER_BLOCK_MAX,
    passkey,
    sign::{SigningKey, VerificationKey},
};
use p256::ecdsa::{Signature, signature::Signer};

/// When every test's network begins.
pub const START: u64 = 1_800_000_000_000;
pub const MINUTE: u64 = 60_000;
pub const HOUR: u64 = 60 * MINUTE;
pub const ORIGIN: &str = "https://sign.example.org";
pub const RELYING_PARTY: &str = "example.org";

/// Who signs: a member, or a patient with its program key or its passkey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    M(usize),
    P(usize),
    K(usize),
}
pub use Who::{K, M, P};

/// One member's ledger, and everybody's keys.
#[derive(Clone)]
pub struct World {
    pub genesis: Genesis,
    pub state: BTreeMap<Vec<u8>, Vec<u8>>,
    pub height: u64,
    pub now: u64,
    pub leaves: Vec<Leaf>,
    /// Every refusal that was ever returned, by code.
    pub rejects: BTreeSet<u8>,
    /// Every block as it was ordered: time and commands.
    pub blocks: Vec<(u64, Vec<Vec<u8>>)>,
    /// Reads the whole state for every block, instead of what the ledger asks for.
    pub reads_all: bool,
    nonces: u64,
}

impl World {
    /// A network of `members`, without patients.
    pub fn new(members: usize) -> World {
        let mut list: Vec<Member> = (0..members).map(member).collect();
        list.sort_by_key(|member| member.id);
        let genesis = Genesis {
            name: "Test".into(),
            origin: "example.org/test".into(),
            members: list,
            origins: vec![Origin { origin: ORIGIN.into(), relying_party: RELYING_PARTY.into() }],
            created_ms: START,
            epoch_blocks: 100,
        };
        genesis.validate().expect("the genesis is sound");
        let state = genesis.initial_state();
        World {
            state: state.into_iter().map(|(key, value)| (key.encode(), value)).collect(),
            genesis,
            height: 0,
            now: START,
            leaves: Vec::new(),
            rejects: BTreeSet::new(),
            blocks: Vec::new(),
            reads_all: false,
            nonces: 1_000,
        }
    }

    /// A network of four members and three patients: 0 is at member 0 with a program key and a
    /// passkey, 1 likewise and linked to member 1 too, 2 has no keys yet.
    pub fn with_patients() -> World {
        let mut world = World::new(4);
        for index in 0..2 {
            world.accept(M(0), enrol(index, vec![program_key(index), passkey_of(index)]));
        }
        world.accept(M(0), enrol(2, vec![]));
        world.accept(P(1), Body::Link(id(1)));
        world
    }

    /// Signs as `who`, with the right nonce and a fresh reader key where one is asked for.
    pub fn sign(&mut self, who: Who, body: Body) -> SignedCommand {
        let command = self.command(who, body);
        seal(who, command)
    }

    /// The unsigned command.
    pub fn command(&mut self, who: Who, mut body: Body) -> Command {
        self.nonces += 1;
        let (author, nonce) = match who {
            M(index) => (Author::Member(id(index)), self.nonces),
            P(index) | K(index) => {
                let account = self.account(index);
                (Author::Patient(patient(index)), account.map_or(0, |account| account.nonce))
            }
        };
        if let Body::OpenAccess(request) | Body::BreakGlass { request, .. } = &mut body {
            let Author::Member(reader) = author else { panic!("members read") };
            let key = SigningKey::from(proof::sha256(&[&nonce.to_le_bytes()]));
            let network = self.genesis.id();
            request.reader_key = ReaderKey::prove(&key, &network, &reader, &request.patient, nonce);
        }
        let expires = self.now + 5 * MINUTE;
        Command { network: self.genesis.id(), author, nonce, expires, body }
    }

    /// Orders one command in a block of its own, one second later, and says what became of it.
    pub fn order(&mut self, signed: &SignedCommand) -> String {
        self.order_bytes(&signed.encode())
    }

    /// As [`World::order`]; bytes that fail the check are not ordered.
    pub fn order_bytes(&mut self, bytes: &[u8]) -> String {
        let context = CheckContext::for_blocks(self.genesis.id());
        match ledger::check(bytes, &context) {
            Err(reject) => {
                self.rejects.insert(reject as u8);
                format!("unordered {reject:?}")
            }
            Ok(_) => {
                let leaves = self.block(self.now + 1_000, &[bytes.to_vec()]);
                describe(leaves.last().expect("a command leaves a leaf"))
            }
        }
    }

    /// Signs, orders, and says what became of it.
    pub fn ask(&mut self, who: Who, body: Body) -> String {
        let signed = self.sign(who, body);
        self.order(&signed)
    }

    /// As [`World::ask`], for what must be accepted; returns the command's id.
    pub fn accept(&mut self, who: Who, body: Body) -> CommandId {
        let signed = self.sign(who, body);
        let said = self.order(&signed);
        assert!(!said.contains("Reject") && !said.contains("unordered"), "{who:?}: {said}");
        signed.command.id()
    }

    /// Lets time pass, with one empty block at the end.
    pub fn wait(&mut self, ms: u64) -> Vec<String> {
        self.block(self.now + ms, &[]).iter().map(describe).collect()
    }

    /// Applies a block as a member does.
    pub fn block(&mut self, time: u64, commands: &[Vec<u8>]) -> Vec<Leaf> {
        self.now = time;
        self.height += 1;
        let at = Moment { height: self.height, time };
        let bytes: Vec<&[u8]> = commands.iter().map(Vec::as_slice).collect();
        let context = CheckContext::for_blocks(self.genesis.id());
        let checked: Vec<_> = ledger::check_batch(&bytes, &context)
            .into_iter()
            .map(|result| result.expect("only sound commands are ordered"))
            .collect();
        self.blocks.push((time, commands.to_vec()));
        let keys = self.keys(&checked);
        let values = keys.iter().map(|key| (*key, self.state.get(&key.encode()).cloned()));
        let mut working = Working::new(values).expect("the state decodes");
        let mut leaves = ledger::due(&mut working, at).expect("what is due was read");
        for command in &checked {
            leaves.push(ledger::apply(&mut working, command, at).expect("its keys were read"));
        }
        self.write(working.into_changes());
        self.note(&leaves);
        leaves
    }

    fn keys(&self, checked: &[Checked]) -> BTreeSet<Key> {
        let mut keys: BTreeSet<Key> = checked.iter().flat_map(ledger::touches).collect();
        for row in self.due_rows() {
            keys.extend(ledger::due_touches(&row));
        }
        if self.reads_all {
            keys.extend(self.state.keys().filter_map(|key| Key::decode(key)));
        }
        keys
    }

    fn due_rows(&self) -> Vec<Key> {
        let (first, last) = ledger::due_range(self.now);
        let rows = self.state.range(first..=last).take(ENDINGS_PER_BLOCK_MAX);
        rows.map(|(key, _)| Key::decode(key).expect("a stored key decodes")).collect()
    }

    fn write(&mut self, changes: Vec<(Key, Option<Vec<u8>>)>) {
        for (key, value) in changes {
            match value {
                Some(value) => self.state.insert(key.encode(), value),
                None => self.state.remove(&key.encode()),
            };
        }
        let now = self.now;
        self.state.retain(|key, value| match Key::decode(key) {
            Some(Key::Seen(_)) => codec::decode::<u64>(value).expect("an expiry") >= now,
            _ => true,
        });
    }

    fn note(&mut self, leaves: &[Leaf]) {
        for leaf in leaves {
            assert_eq!(codec::decode::<Entry>(&leaf.bytes).as_ref(), Ok(&leaf.entry));
            assert_eq!(leaf.hash, proof::tree::leaf_hash(&leaf.bytes));
            if let Entry::Outcome { outcome: Outcome::Rejected(reject), .. } = &leaf.entry {
                self.rejects.insert(*reject as u8);
            }
        }
        self.leaves.extend_from_slice(leaves);
    }

    /// The part of the state that is in the tree.
    pub fn proven(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let proven = |key: &Vec<u8>| Key::decode(key).expect("a stored key decodes").is_proven();
        self.state.clone().into_iter().filter(|(key, _)| proven(key)).collect()
    }

    /// Whether the network remembers that this command was ordered.
    pub fn remembers(&self, command: CommandId) -> bool {
        self.state.contains_key(&Key::Seen(command).encode())
    }

    pub fn network(&self) -> NetworkState {
        self.value(Key::Network).expect("there is a network")
    }

    pub fn account(&self, index: usize) -> Option<Account> {
        self.value(Key::Account(patient(index)))
    }

    pub fn consent(&self, index: usize) -> ConsentState {
        self.value(Key::Consent(patient(index))).unwrap_or_default()
    }

    pub fn accesses(&self, index: usize) -> AccessState {
        self.value(Key::Accesses(patient(index))).unwrap_or_default()
    }

    pub fn epochs(&self, index: usize) -> EpochState {
        self.value(Key::Epochs(patient(index))).unwrap_or_default()
    }

    pub fn value<T: borsh::BorshDeserialize>(&self, key: Key) -> Option<T> {
        let bytes = self.state.get(&key.encode())?;
        Some(codec::decode(bytes).expect("a stored value decodes"))
    }

    /// The question of stewards and holders, about the current epoch.
    pub fn covers(&self, access: AccessId, of: usize, at: usize, category: Category) -> bool {
        let epoch = self.epochs(of).epoch(id(at), category);
        self.covers_epoch(access, of, at, category, epoch)
    }

    pub fn covers_epoch(
        &self,
        access: AccessId,
        of: usize,
        at: usize,
        category: Category,
        epoch: u32,
    ) -> bool {
        let account = self.account(of).expect("the patient has an account");
        let view = PatientView {
            network: &self.network(),
            account: &account,
            consent: &self.consent(of),
            accesses: &self.accesses(of),
            epochs: &self.epochs(of),
        };
        let scope = Scope { patient: patient(of), custodian: id(at), category };
        ledger::covers(view, access, scope, epoch, self.now)
    }
}

/// Runs a table: who asks what, and what becomes of it. Returns the refusals that it reached.
pub fn check(world: &mut World, table: Vec<(Who, Body, &str)>) {
    for (row, (who, body, expected)) in table.into_iter().enumerate() {
        let before = world.proven();
        let said = world.ask(who, body);
        assert_eq!(said, expected, "row {row}");
        if said.starts_with("Reject") || said.starts_with("unordered") {
            assert_eq!(world.proven(), before, "row {row}: a refusal changes nothing");
        }
    }
}

/// What became of something, in a few words.
pub fn describe(leaf: &Leaf) -> String {
    match &leaf.entry {
        Entry::Outcome { outcome: Outcome::Rejected(reject), .. } => format!("Reject {reject:?}"),
        Entry::Outcome { outcome: Outcome::Accepted(event), .. } => describe_event(event),
        Entry::Due { event, .. } => format!("due {}", describe_event(event)),
        Entry::Block { height, .. } => format!("block {height}"),
    }
}

fn describe_event(event: &Event) -> String {
    match event {
        Event::Accessed(receipt) => match &receipt.decision {
            Decision::Allowed { categories, until, basis, .. } => {
                let minutes = (until - receipt.time) / MINUTE;
                let basis = format!("{basis:?}");
                let basis = basis.split('(').next().expect("a name");
                format!("{basis} {} {minutes}min", categories.names().join(" "))
            }
            Decision::Denied(denial) => format!("Denied {denial:?}"),
        },
        Event::Voted { decided, .. } => format!("Voted {decided:?}"),
        Event::CustodyConfirmed { in_force, .. } => format!("CustodyConfirmed {in_force}"),
        Event::Revoked { ended, .. } => format!("Revoked {}", ended.len()),
        Event::Ended { why, .. } => format!("Ended {why:?}"),
        other => {
            let text = format!("{other:?}");
            text.split([' ', '(']).next().expect("a name").to_owned()
        }
    }
}

/// Signs a command as `who` would.
pub fn seal(who: Who, command: Command) -> SignedCommand {
    match who {
        M(index) => command.sign(&command_key(index)),
        P(index) => command.sign(&SigningKey::from([0x80 + index as u8; 32])),
        K(index) => {
            let assertion = assert_at(index, &command.id(), ORIGIN, RELYING_PARTY);
            command.assert(assertion)
        }
    }
}

/// A software passkey's assertion over a command, made on a page of this origin.
pub fn assert_at(
    index: usize,
    id: &CommandId,
    origin: &str,
    relying_party: &str,
) -> ledger::Assertion {
    let data = passkey::authenticator_data(relying_party);
    touch(index, data, passkey::client_data(id, origin))
}

/// A software passkey's assertion over any bytes.
pub fn touch(index: usize, data: Vec<u8>, client: Vec<u8>) -> ledger::Assertion {
    let key = ec_key(index);
    let signature: Signature = key.sign(&passkey::signed_bytes(&data, &client));
    let fixed = signature.to_bytes().into();
    passkey::assertion(ec_point(index), data, client, fixed)
}

pub fn ec_key(index: usize) -> p256::ecdsa::SigningKey {
    let seed = [0x40 + index as u8; 32];
    p256::ecdsa::SigningKey::from_bytes(&seed.into()).expect("a scalar in range")
}

pub fn ec_point(index: usize) -> [u8; 65] {
    let point = ec_key(index).verifying_key().to_sec1_point(false);
    point.as_bytes().try_into().expect("an uncompressed point")
}

pub fn command_key(index: usize) -> SigningKey {
    SigningKey::from([(index as u8).wrapping_add(1); 32])
}

pub fn public(key: &SigningKey) -> [u8; 32] {
    VerificationKey::from(key).into()
}

/// Member number `index`, of 256.
pub fn member(index: usize) -> Member {
    static MEMBERS: LazyLock<Vec<Member>> = LazyLock::new(|| (0..256).map(make_member).collect());
    MEMBERS[index].clone()
}

fn make_member(index: usize) -> Member {
    let command_key = public(&command_key(index));
    let other = |kind: u8| {
        let seed: [u8; 32] =
            core::array::from_fn(|place| if place == 0 { kind } else { index as u8 });
        public(&SigningKey::from(seed))
    };
    Member {
        id: Member::id_of(&command_key),
        name: format!("Hospital {index}"),
        command_key,
        engine_key: other(0xe0),
        cosign_key: other(0xc0),
        address: format!("10.0.0.{index}:7000"),
    }
}

pub fn id(index: usize) -> MemberId {
    member(index).id
}

/// Members' ids, in the order that lists demand.
pub fn ids(indexes: &[usize]) -> Vec<MemberId> {
    let mut ids: Vec<MemberId> = indexes.iter().map(|index| id(*index)).collect();
    ids.sort();
    ids
}

pub fn patient(index: usize) -> PatientId {
    PatientId([0xa0 + index as u8; 32])
}

pub fn program_key(index: usize) -> Authenticator {
    Authenticator::Ed25519(public(&SigningKey::from([0x80 + index as u8; 32])))
}

pub fn passkey_of(index: usize) -> Authenticator {
    Authenticator::Passkey(passkey::compress(&ec_point(index)))
}

pub fn enrol(index: usize, authenticators: Vec<Authenticator>) -> Body {
    Body::Enrol { patient: patient(index), authenticators }
}

/// Terms for member `grantee`, for treatment, from now for thirty days.
pub fn terms(grantee: usize, categories: &[Category]) -> Terms {
    Terms {
        grantee: id(grantee),
        categories: CategorySet::of(categories),
        custodians: vec![],
        purposes: vec![Purpose::Treatment],
        from: START,
        until: START + 30 * 24 * HOUR,
        accesses_max: None,
        sentence: [0x5e; 32],
    }
}

/// A request for treatment, at every custodian, for one hour. The reader key is filled in on
/// signing.
pub fn request(of: usize, categories: &[Category]) -> Request {
    Request {
        patient: patient(of),
        categories: CategorySet::of(categories),
        custodians: vec![],
        purpose: Purpose::Treatment,
        staff: StaffRef([0x57; 32]),
        duration_ms: HOUR,
        reader_key: ReaderKey { key: [0; 32], possession: [0; 64] },
    }
}

pub fn grant_id(command: CommandId) -> GrantId {
    GrantId(command.0)
}

pub fn restriction_id(command: CommandId) -> RestrictionId {
    RestrictionId(command.0)
}

pub fn access_id(command: CommandId) -> AccessId {
    AccessId(command.0)
}
