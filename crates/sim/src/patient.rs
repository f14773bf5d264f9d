//! A patient: invented records at some hospitals, and a key of their own.

use fhir::synthetic::{Population, Scale, sample_hospitals};
use ledger::{
    Authenticator, Author, Body, Category, CategorySet, Command, GrantId, MemberId, NetworkId,
    PatientId, Purpose, RestrictionId, Terms, passkey,
    sign::{SigningKey, VerificationKey},
};
use p256::ecdsa::signature::Signer;

use crate::cast::signer_origin;

/// A patient of the story.
pub struct Patient {
    /// The key.
    pub key: Key,
    /// The account, once it is opened.
    pub account: Option<PatientId>,
    /// What hospitals know, the home hospital's first.
    pub deliveries: Vec<Delivery>,
    /// Grants that were given.
    pub grants: Vec<GrantId>,
    /// Restrictions in force.
    pub restrictions: Vec<RestrictionId>,
}

/// What one hospital knows.
pub struct Delivery {
    /// The hospital.
    pub place: usize,
    /// The patient's id there.
    pub local_id: String,
    /// The transaction Bundle.
    pub bundle: Vec<u8>,
    /// Whether the hospital has stored it.
    pub is_stored: bool,
}

/// By what a patient signs.
pub enum Key {
    /// A program's key.
    Ed25519(Box<SigningKey>),
    /// A passkey in software; signs the same bytes as a browser's.
    Passkey(Box<p256::ecdsa::SigningKey>),
}

impl Patient {
    /// Invents a patient.
    pub fn invent(seed: u64, index: usize, hospitals: usize) -> Self {
        let hospitals = sample_hospitals(hospitals);
        let population =
            Population { scale: Scale::Small, ..Population::new(seed, 1_000, &hospitals) };
        let deliveries = population.person(index).bundles.into_iter().map(|bundle| Delivery {
            place: bundle.hospital,
            local_id: local_id(&bundle.bytes),
            bundle: bundle.bytes,
            is_stored: false,
        });
        Self {
            key: Key::of(seed, index),
            account: None,
            deliveries: deliveries.collect(),
            grants: Vec::new(),
            restrictions: Vec::new(),
        }
    }

    /// Signs a command of this patient.
    pub fn sign(&self, network: NetworkId, nonce: u64, expires: u64, body: Body) -> Vec<u8> {
        let author = Author::Patient(self.account.expect("an account"));
        self.key.sign(Command { network, author, nonce, expires, body })
    }
}

impl Key {
    /// A passkey for every third patient.
    fn of(seed: u64, index: usize) -> Self {
        let secret = proof::sha256(&[b"sim/patient\n", &seed.to_le_bytes(), &index.to_le_bytes()]);
        match index % 3 {
            1 => {
                let key = p256::ecdsa::SigningKey::from_slice(&secret);
                Self::Passkey(Box::new(key.expect("a hash is a scalar, but for one in 2^32")))
            }
            _ => Self::Ed25519(Box::new(SigningKey::from(secret))),
        }
    }

    /// As an account lists it.
    pub fn authenticator(&self) -> Authenticator {
        match self {
            Key::Ed25519(key) => Authenticator::Ed25519(VerificationKey::from(&**key).into()),
            Key::Passkey(key) => Authenticator::Passkey(passkey::compress(&point(key))),
        }
    }

    /// Signs a command.
    pub fn sign(&self, command: Command) -> Vec<u8> {
        match self {
            Key::Ed25519(key) => command.sign(key).encode(),
            Key::Passkey(key) => {
                let origin = signer_origin();
                let challenge = command.id();
                let assertion = assert(key, &challenge, &origin.origin, &origin.relying_party);
                command.assert(assertion).encode()
            }
        }
    }
}

/// What a browser returns when a page of this origin asks for a gesture over this challenge.
pub fn assert(
    key: &p256::ecdsa::SigningKey,
    challenge: &ledger::CommandId,
    origin: &str,
    relying_party: &str,
) -> ledger::Assertion {
    let authenticator_data = passkey::authenticator_data(relying_party);
    let client_data = passkey::client_data(challenge, origin);
    let signed = passkey::signed_bytes(&authenticator_data, &client_data);
    let signature: p256::ecdsa::Signature = key.sign(&signed);
    let signature: [u8; 64] = signature.to_bytes().into();
    passkey::assertion(point(key), authenticator_data, client_data, signature)
}

/// Terms that let a member read, for treatment.
pub fn terms(grantee: MemberId, categories: CategorySet, until: u64) -> Terms {
    Terms {
        grantee,
        categories,
        custodians: Vec::new(),
        purposes: vec![Purpose::Treatment],
        from: 0,
        until,
        accesses_max: None,
        sentence: proof::sha256(&[b"I let this hospital read."]),
    }
}

/// What most people grant: everything but what is sensitive.
pub fn ordinary() -> CategorySet {
    CategorySet::ALL.without(CategorySet::SENSITIVE)
}

/// One category that most people have records of.
pub const COMMON: Category = Category::Medications;

fn point(key: &p256::ecdsa::SigningKey) -> [u8; 65] {
    let point = key.verifying_key().to_sec1_point(false);
    point.as_bytes().try_into().expect("an uncompressed point has 65 bytes")
}

/// The logical id that the Patient of a Bundle will have.
fn local_id(bundle: &[u8]) -> String {
    let bundle = fhir::Bundle::parse(bundle.to_vec()).expect("invented Bundles are sound");
    let mut targets = bundle.entries.iter().filter_map(|entry| entry.target.as_ref());
    let patient = targets.find(|target| target.resource_type.name() == "Patient");
    patient.expect("an invented Bundle has a Patient").id.clone()
}
