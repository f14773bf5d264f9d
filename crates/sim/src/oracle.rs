//! A second opinion on every ordered command: a naive ledger, written from `spec/formats.md` and from
//! what the ledger's types say of themselves. It shares the vocabulary of `ledger` and none of its
//! rules: everything is searched and counted anew each time, nothing is indexed.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{
    AccessId, Authenticator, Author, Basis, Body, Category, CategorySet, Command, CommandId,
    Decision, Denial, Entry, Event, Genesis, GrantId, MemberId, Outcome, PatientId, Purpose,
    Request, RestrictionId, Signature, SignedCommand, Terms,
};
use proof::Hash;

/// What the ordered commands amount to.
pub struct Oracle {
    network: [u8; 32],
    members: BTreeMap<MemberId, [u8; 32]>,
    origins: Vec<(String, Hash)>,
    accounts: BTreeMap<PatientId, Account>,
    grants: Vec<Given>,
    restrictions: BTreeMap<RestrictionId, (PatientId, CategorySet, Vec<MemberId>)>,
    accesses: BTreeMap<AccessId, Access>,
    receipts: BTreeMap<PatientId, u64>,
    anchored: BTreeMap<MemberId, u64>,
    erased: BTreeMap<(MemberId, u64), PatientId>,
    settled: BTreeSet<CommandId>,
    now: u64,
}

struct Account {
    enrolled_by: MemberId,
    keys: Vec<Authenticator>,
    custodians: BTreeSet<MemberId>,
    nonce: u64,
}

struct Given {
    id: GrantId,
    patient: PatientId,
    terms: Terms,
    uses: u32,
    withdrawn: bool,
}

/// An access that was allowed at some time.
#[derive(Clone, Debug)]
pub struct Access {
    /// Whose records.
    pub patient: PatientId,
    /// Who reads.
    pub reader: MemberId,
    /// Where key shares are sealed to.
    pub reader_key: [u8; 32],
    /// What was allowed.
    pub categories: CategorySet,
    /// At whom; `None` is everywhere.
    pub only: Option<BTreeSet<MemberId>>,
    /// What the reader may read of the records that it wrote itself.
    wrote: CategorySet,
    until: u64,
    basis: Basis,
    over: bool,
}

impl Access {
    /// Whether the reader wrote these records itself, and asked for them.
    fn is_own(&self, custodian: MemberId, category: Option<Category>) -> bool {
        let asked = |category| self.wrote.contains(category);
        custodian == self.reader && category.map_or(!self.wrote.is_empty(), asked)
    }
}

/// What the oracle expects of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The rules let it through.
    Accepted,
    /// The rules refuse it.
    Refused,
    /// A receipt with this answer.
    Receipt {
        /// Its number in the patient's list.
        number: u64,
        /// The answer.
        decision: Decision,
    },
    /// The oracle has no opinion: messages of the ceremony and votes.
    Unjudged,
}

impl Oracle {
    /// The ledger before its first block.
    pub fn new(genesis: &Genesis) -> Self {
        let origins = genesis.origins.iter().map(|origin| {
            (origin.origin.clone(), proof::sha256(&[origin.relying_party.as_bytes()]))
        });
        Self {
            network: genesis.id().0,
            members: genesis.members.iter().map(|one| (one.id, one.command_key)).collect(),
            origins: origins.collect(),
            accounts: BTreeMap::new(),
            grants: Vec::new(),
            restrictions: BTreeMap::new(),
            accesses: BTreeMap::new(),
            receipts: BTreeMap::new(),
            anchored: BTreeMap::new(),
            erased: BTreeMap::new(),
            settled: BTreeSet::new(),
            now: 0,
        }
    }

    /// Plays one block and compares with what a member made of it; says where they differ.
    pub fn block(&mut self, time: u64, commands: &[Vec<u8>], entries: &[Entry]) -> Vec<String> {
        self.now = time;
        let mut differences = Vec::new();
        let due: BTreeSet<AccessId> = entries.iter().filter_map(expired).collect();
        let expected: BTreeSet<AccessId> = self.expire();
        if due != expected {
            differences.push(format!("accesses that end at {time}: {due:?}, not {expected:?}"));
        }
        let outcomes = entries.iter().filter_map(|entry| match entry {
            Entry::Outcome { command, outcome, .. } => Some((command, outcome)),
            _ => None,
        });
        let outcomes: Vec<_> = outcomes.collect();
        if outcomes.len() != commands.len() {
            differences.push(format!("{} outcomes of {}", outcomes.len(), commands.len()));
        }
        for (bytes, (id, outcome)) in commands.iter().zip(outcomes) {
            let (expected, found) = (self.command(bytes, *id), verdict_of(outcome));
            if expected != Verdict::Unjudged && expected != found {
                differences.push(format!("{id:?}: the member says {found:?}, not {expected:?}"));
            }
        }
        differences
    }

    /// How many receipts a patient has.
    pub fn receipts(&self, patient: PatientId) -> u64 {
        self.receipts.get(&patient).copied().unwrap_or_default()
    }

    /// The patients with an account.
    pub fn patients(&self) -> impl Iterator<Item = PatientId> {
        self.accounts.keys().copied()
    }

    /// An access that was allowed at some time.
    pub fn access(&self, id: AccessId) -> Option<&Access> {
        self.accesses.get(&id)
    }

    /// Whether a custodian has erased its record of this patient.
    pub fn erased(&self, custodian: MemberId, sequence: u64, patient: PatientId) -> bool {
        self.erased.get(&(custodian, sequence)) == Some(&patient)
    }

    /// Everything that was erased: by whom, which, and whose it was.
    pub fn all_erased(&self) -> impl Iterator<Item = (MemberId, u64, PatientId)> {
        self.erased.iter().map(|((custodian, sequence), patient)| (*custodian, *sequence, *patient))
    }

    /// Whether an allowed receipt of this reader covers records of this custodian, of this kind if it is
    /// known, whether or not it has ended.
    pub fn receipted(
        &self,
        access: AccessId,
        reader: MemberId,
        custodian: MemberId,
        category: Option<Category>,
    ) -> bool {
        self.accesses.get(&access).is_some_and(|own| {
            let reached = own.only.as_ref().is_none_or(|only| only.contains(&custodian));
            let within = |set: CategorySet| category.is_none_or(|category| set.contains(category));
            own.reader == reader
                && ((reached && within(own.categories)) || own.is_own(custodian, category))
                && self.linked(own.patient, custodian)
        })
    }

    /// Whether an access was allowed once and may no longer open this: it has ended, or the patient has
    /// hidden it.
    pub fn over(&self, access: AccessId, custodian: MemberId, category: Option<Category>) -> bool {
        let Some(own) = self.accesses.get(&access) else { return false };
        let hidden = self.restrictions.values().any(|(whose, categories, at)| {
            *whose == own.patient
                && category.is_some_and(|category| categories.contains(category))
                && (at.is_empty() || at.contains(&custodian))
        });
        let hidden = hidden && !own.is_own(custodian, category);
        own.over || own.until <= self.now || (hidden && matches!(own.basis, Basis::Grant(_)))
    }

    /// The epoch of a scope: how many accesses that covered it have ended, but for a custodian's own.
    pub fn epoch(&self, patient: PatientId, custodian: MemberId, category: Category) -> u32 {
        let raised = self.accesses.values().filter(|own| {
            own.over
                && own.basis != Basis::Custodian
                && own.patient == patient
                && own.categories.contains(category)
                && own.only.as_ref().is_none_or(|only| only.contains(&custodian))
        });
        u32::try_from(raised.count()).unwrap_or(u32::MAX)
    }

    fn expire(&mut self) -> BTreeSet<AccessId> {
        let now = self.now;
        let due = self.accesses.iter_mut().filter(|(_, own)| !own.over && own.until <= now);
        due.map(|(id, own)| {
            own.over = true;
            *id
        })
        .collect()
    }

    fn command(&mut self, bytes: &[u8], claimed: CommandId) -> Verdict {
        let Ok(signed) = borsh::from_slice::<SignedCommand>(bytes) else { return Verdict::Refused };
        let plain = borsh::to_vec(&signed.command).expect("memory does not fail");
        let id = CommandId(proof::sha256(&[b"carestone/command/v1\n", &plain]));
        if id != claimed || !self.speaks(&signed, id) {
            return Verdict::Refused;
        }
        let command = signed.command;
        let verdict = match command.author {
            Author::Member(member) => self.member_asks(member, id, &command),
            Author::Patient(patient) => self.patient_asks(patient, id, &command),
        };
        self.settled.insert(id);
        verdict
    }

    /// Whether this is the author, speaking in time and for the first time.
    fn speaks(&self, signed: &SignedCommand, id: CommandId) -> bool {
        let Command { network, author, nonce, expires, .. } = &signed.command;
        let in_time = self.now <= *expires && expires - self.now <= 10 * MINUTE;
        let fresh = !self.settled.contains(&id);
        network.0 == self.network
            && in_time
            && fresh
            && match author {
                Author::Member(member) => match (&signed.signature, self.members.get(member)) {
                    (Signature::Ed25519 { key, .. }, Some(known)) => key == known,
                    _ => false,
                },
                Author::Patient(patient) => self.accounts.get(patient).is_some_and(|account| {
                    account.nonce == *nonce
                        && account.keys.contains(&signer(&signed.signature))
                        && self.signed_at_a_signer(&signed.signature)
                }),
            }
    }

    /// Passkeys speak only from a registered origin, named by the browser in what it signs.
    fn signed_at_a_signer(&self, signature: &Signature) -> bool {
        let Signature::Passkey(assertion) = signature else { return true };
        let text = String::from_utf8_lossy(&assertion.client_data);
        let origin = text.split("\"origin\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let party = assertion.authenticator_data.get(..32).unwrap_or_default();
        self.origins.iter().any(|(known, hash)| Some(known.as_str()) == origin && hash == party)
    }

    // ---- members ---------------------------------------------------------------------------------

    fn member_asks(&mut self, member: MemberId, id: CommandId, command: &Command) -> Verdict {
        match &command.body {
            Body::Propose(_)
            | Body::Vote { .. }
            | Body::Ceremony { .. }
            | Body::ConfirmCustody { .. } => Verdict::Unjudged,
            Body::Complain { access, steward, .. } => {
                let own = self.accesses.get(access).is_some_and(|own| own.reader == member);
                accepted_if(own && self.members.contains_key(steward))
            }
            Body::Enrol { patient, authenticators } => {
                if self.accounts.contains_key(patient) {
                    return Verdict::Refused;
                }
                let account = Account {
                    enrolled_by: member,
                    keys: authenticators.clone(),
                    custodians: [member].into(),
                    nonce: 0,
                };
                self.accounts.insert(*patient, account);
                Verdict::Accepted
            }
            Body::Claim { patient, authenticator } => match self.accounts.get_mut(patient) {
                Some(account) if account.enrolled_by == member && account.keys.is_empty() => {
                    account.keys.push(authenticator.clone());
                    Verdict::Accepted
                }
                _ => Verdict::Refused,
            },
            Body::Anchor { first, count, .. } => {
                let next = self.anchored.entry(member).or_default();
                if first != next {
                    return Verdict::Refused;
                }
                *next += u64::from(*count);
                Verdict::Accepted
            }
            Body::OpenAccess(request) => self.open(member, id, request, None),
            Body::BreakGlass { reason, request } => {
                self.open(member, id, request, Some(Basis::Emergency(*reason)))
            }
            Body::CloseAccess { patient, access } => match self.accesses.get_mut(access) {
                Some(own) if !own.over && own.reader == member && own.patient == *patient => {
                    own.over = true;
                    Verdict::Accepted
                }
                _ => Verdict::Refused,
            },
            Body::Erase { patient, runs, .. } => {
                let anchored = self.anchored.get(&member).copied().unwrap_or_default();
                let numbers =
                    runs.iter().flat_map(|run| (0..run.count).map(|at| run.first + u64::from(at)));
                let numbers: Vec<u64> = numbers.collect();
                let is_there = |number: &u64| {
                    *number < anchored && !self.erased.contains_key(&(member, *number))
                };
                let sound = self.linked(*patient, member) && numbers.iter().all(is_there);
                if sound {
                    let places = numbers.into_iter().map(|number| ((member, number), *patient));
                    self.erased.extend(places);
                }
                accepted_if(sound)
            }
            _ => Verdict::Refused,
        }
    }

    fn open(
        &mut self,
        reader: MemberId,
        id: CommandId,
        request: &Request,
        emergency: Option<Basis>,
    ) -> Verdict {
        let is_emergency = emergency.is_some();
        let sound = !request.categories.is_empty()
            && request.duration_ms > 0
            && (!is_emergency || request.purpose == Purpose::EmergencyTreatment);
        if !sound || !self.accounts.contains_key(&request.patient) {
            return Verdict::Refused;
        }
        let (mut decision, only) = match emergency {
            Some(basis) => self.judge_emergency(request, basis),
            None => self.judge(reader, request),
        };
        if matches!(decision, Decision::Allowed { .. })
            && self.is_full(request.patient, reader, is_emergency)
        {
            decision = Decision::Denied(Denial::TooMany);
        }
        let number = self.receipts(request.patient) + 1;
        self.receipts.insert(request.patient, number);
        if let Decision::Allowed { categories, own, until, basis } = &decision {
            let used = |given: &&mut Given| *basis == Basis::Grant(given.id);
            self.grants.iter_mut().filter(used).for_each(|given| given.uses += 1);
            let access = Access {
                patient: request.patient,
                reader,
                reader_key: request.reader_key.key,
                categories: *categories,
                only,
                wrote: *own,
                until: *until,
                basis: basis.clone(),
                over: false,
            };
            self.accesses.insert(AccessId(id.0), access);
        }
        Verdict::Receipt { number, decision }
    }

    /// One grant must carry an access; a custodian needs none for what it wrote itself.
    fn judge(&self, reader: MemberId, request: &Request) -> (Decision, Option<BTreeSet<MemberId>>) {
        let asked = self.those_linked(request.patient, &request.custodians);
        if asked.as_ref().is_some_and(BTreeSet::is_empty) {
            return (Decision::Denied(Denial::NotLinked), None);
        }
        let longest = self.now + request.duration_ms.min(24 * HOUR);
        let itself = Some(BTreeSet::from([reader]));
        let (categories, basis) = (self.written(reader, request), Basis::Custodian);
        let as_custodian = Decision::Allowed { categories, own: categories, until: longest, basis };
        if asked == itself {
            return (as_custodian, itself);
        }
        let offers = self.grants.iter().filter(|given| {
            let terms = &given.terms;
            !given.withdrawn
                && given.patient == request.patient
                && terms.grantee == reader
                && terms.purposes.contains(&request.purpose)
                && (terms.from..terms.until).contains(&self.now)
                && terms.accesses_max.is_none_or(|most| given.uses < most)
        });
        let offers = offers.map(|given| {
            let granted = self.those_linked(request.patient, &given.terms.custodians);
            (given, request.categories.and(given.terms.categories), both(&asked, &granted))
        });
        let mut offers: Vec<_> = offers
            .filter(|(_, categories, only)| {
                !categories.is_empty() && only.as_ref().is_none_or(|only| !only.is_empty())
            })
            .collect();
        // The best comes first; among equals the one that was given first.
        offers.sort_by_key(|(given, categories, only)| {
            let terms = &given.terms;
            let breadth = only.as_ref().map_or(usize::MAX, BTreeSet::len);
            std::cmp::Reverse((
                categories.len(),
                breadth,
                terms.accesses_max.is_none(),
                terms.until,
            ))
        });
        let Some((given, categories, only)) = offers.into_iter().next() else {
            return match categories.is_empty() {
                true => (Decision::Denied(Denial::NoConsent), None),
                false => (as_custodian, itself),
            };
        };
        let (until, basis) = (longest.min(given.terms.until), Basis::Grant(given.id));
        let own = self.written(reader, request);
        (Decision::Allowed { categories, own, until, basis }, only)
    }

    /// What a reader asks for of the records that it wrote itself.
    fn written(&self, reader: MemberId, request: &Request) -> CategorySet {
        let asked = request.custodians.is_empty() || request.custodians.contains(&reader);
        let wrote = asked && self.linked(request.patient, reader);
        if wrote { request.categories } else { CategorySet::EMPTY }
    }

    fn judge_emergency(
        &self,
        request: &Request,
        basis: Basis,
    ) -> (Decision, Option<BTreeSet<MemberId>>) {
        let vital = [
            Category::Allergies,
            Category::Medications,
            Category::Problems,
            Category::Demographics,
            Category::Devices,
            Category::Careplans,
        ];
        let categories = request.categories.and(vital.into_iter().collect());
        let asked = self.those_linked(request.patient, &request.custodians);
        if categories.is_empty() {
            return (Decision::Denied(Denial::NotVital), None);
        }
        if asked.as_ref().is_some_and(BTreeSet::is_empty) {
            return (Decision::Denied(Denial::NotLinked), None);
        }
        let until = self.now + request.duration_ms.min(4 * HOUR);
        let own = CategorySet::EMPTY;
        (Decision::Allowed { categories, own, until, basis }, asked)
    }

    fn is_full(&self, patient: PatientId, reader: MemberId, is_emergency: bool) -> bool {
        let open = self.accesses.values().filter(|own| {
            let emergency = matches!(own.basis, Basis::Emergency(_));
            !own.over
                && own.patient == patient
                && emergency == is_emergency
                && (!emergency || own.reader == reader)
        });
        open.count() >= if is_emergency { 4 } else { 64 }
    }

    // ---- patients --------------------------------------------------------------------------------

    fn patient_asks(&mut self, patient: PatientId, id: CommandId, command: &Command) -> Verdict {
        let verdict = self.patient_does(patient, id, &command.body);
        if verdict == Verdict::Accepted
            && let Some(account) = self.accounts.get_mut(&patient)
        {
            account.nonce += 1;
        }
        verdict
    }

    fn patient_does(&mut self, patient: PatientId, id: CommandId, body: &Body) -> Verdict {
        match body {
            Body::Link(custodian) => {
                let known = self.members.contains_key(custodian);
                let account = self.accounts.get_mut(&patient);
                accepted_if(known && account.is_some_and(|own| own.custodians.insert(*custodian)))
            }
            Body::Grant(terms) => {
                let named = |member: &MemberId| self.members.contains_key(member);
                let sound = !terms.categories.is_empty()
                    && !terms.purposes.is_empty()
                    && terms.accesses_max != Some(0)
                    && terms.from < terms.until
                    && self.now < terms.until
                    && named(&terms.grantee)
                    && terms.custodians.iter().all(named);
                if sound {
                    // Grants whose time is over make room, and can no longer be withdrawn.
                    let now = self.now;
                    let past =
                        |given: &&mut Given| given.patient == patient && given.terms.until <= now;
                    self.grants.iter_mut().filter(past).for_each(|given| given.withdrawn = true);
                    let (id, terms) = (GrantId(id.0), terms.clone());
                    self.grants.push(Given { id, patient, terms, uses: 0, withdrawn: false });
                }
                accepted_if(sound)
            }
            Body::Revoke(grant) => {
                let given = self.grants.iter_mut().find(|given| {
                    given.id == *grant && given.patient == patient && !given.withdrawn
                });
                let Some(given) = given else { return Verdict::Refused };
                given.withdrawn = true;
                let rest = |own: &&mut Access| own.basis == Basis::Grant(*grant);
                self.accesses.values_mut().filter(rest).for_each(|own| own.over = true);
                Verdict::Accepted
            }
            Body::Restrict { categories, custodians } => {
                let known = custodians.iter().all(|member| self.members.contains_key(member));
                if categories.is_empty() || !known {
                    return Verdict::Refused;
                }
                let hidden = (patient, *categories, custodians.clone());
                self.restrictions.insert(RestrictionId(id.0), hidden);
                Verdict::Accepted
            }
            Body::Lift(restriction) => {
                let own = self.restrictions.get(restriction);
                let own = own.is_some_and(|(whose, ..)| *whose == patient);
                accepted_if(own && self.restrictions.remove(restriction).is_some())
            }
            Body::AddAuthenticator(_) | Body::RemoveAuthenticator(_) => Verdict::Unjudged,
            _ => Verdict::Refused,
        }
    }

    fn linked(&self, patient: PatientId, custodian: MemberId) -> bool {
        self.accounts.get(&patient).is_some_and(|account| account.custodians.contains(&custodian))
    }

    /// Those of a list that are linked; `None`, for an empty list, is everybody.
    fn those_linked(&self, patient: PatientId, list: &[MemberId]) -> Option<BTreeSet<MemberId>> {
        let linked = |member: &&MemberId| self.linked(patient, **member);
        (!list.is_empty()).then(|| list.iter().filter(linked).copied().collect())
    }
}

fn both(
    one: &Option<BTreeSet<MemberId>>,
    other: &Option<BTreeSet<MemberId>>,
) -> Option<BTreeSet<MemberId>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.intersection(other).copied().collect()),
        (one, other) => one.clone().or_else(|| other.clone()),
    }
}

fn accepted_if(accepted: bool) -> Verdict {
    if accepted { Verdict::Accepted } else { Verdict::Refused }
}

fn verdict_of(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::Accepted(Event::Accessed(receipt)) => {
            Verdict::Receipt { number: receipt.number, decision: receipt.decision.clone() }
        }
        Outcome::Accepted(_) => Verdict::Accepted,
        Outcome::Rejected(_) => Verdict::Refused,
    }
}

fn expired(entry: &Entry) -> Option<AccessId> {
    match entry {
        Entry::Due { event: Event::Ended { access, .. }, .. } => Some(*access),
        _ => None,
    }
}

/// The key of a signature as an account lists it: points in SEC 1 compressed form.
fn signer(signature: &Signature) -> Authenticator {
    match signature {
        Signature::Ed25519 { key, .. } => Authenticator::Ed25519(*key),
        Signature::Passkey(assertion) => {
            let mut point = [0; 33];
            point[0] = 2 + assertion.key[64] % 2;
            point[1..].copy_from_slice(&assertion.key[1..33]);
            Authenticator::Passkey(point)
        }
    }
}

const MINUTE: u64 = 60 * 1_000;
const HOUR: u64 = 60 * MINUTE;
