//! A second opinion on a history: everything recomputed from the ordered commands and the log's
//! leaves in the most naive way, with nothing of the ledger's rules.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{
    AccessId, AnchorHead, Author, Basis, Body, Category, CategorySet, Change, Command, CommandId,
    Decision, Denial, Entry, ErasedChunk, ErasureState, Event, GrantId, Key, Leaf, MemberId,
    Outcome, PatientId, Receipt, Request, RestrictionId, SignedCommand, Terms, codec,
};
use proof::Hash;

use crate::world::{HOUR, World};

/// What a history amounts to.
#[derive(Default)]
pub struct Oracle {
    pub members: BTreeSet<MemberId>,
    pub accesses: BTreeMap<AccessId, Access>,
    pub epochs: BTreeMap<(PatientId, MemberId, Category), u32>,
    pub links: BTreeSet<(PatientId, MemberId)>,
    commands: BTreeMap<CommandId, Command>,
    times: BTreeMap<u64, u64>,
    changes: BTreeMap<CommandId, Change>,
    grants: BTreeMap<GrantId, (PatientId, Terms, u32)>,
    restrictions: BTreeMap<RestrictionId, (PatientId, CategorySet, Vec<MemberId>)>,
    receipts: BTreeMap<PatientId, List>,
    consents: BTreeMap<PatientId, List>,
    anchors: BTreeMap<MemberId, (List, u64)>,
    erasures: BTreeMap<PatientId, List>,
    erased: BTreeSet<(MemberId, u64)>,
}

/// An allowed access.
pub struct Access {
    pub patient: PatientId,
    pub reader: MemberId,
    categories: CategorySet,
    only: Option<BTreeSet<MemberId>>,
    wrote: CategorySet,
    until: u64,
    basis: Basis,
    over: bool,
}

/// A chained list, as `spec/formats.md` describes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct List {
    count: u64,
    head: Hash,
}

impl List {
    fn push(&mut self, domain: &str, leaf: &Leaf) {
        let leaf = proof::sha256(&[&[0], &leaf.bytes]);
        self.head = proof::sha256(&[domain.as_bytes(), &self.head, &leaf]);
        self.count += 1;
    }
}

impl Oracle {
    /// Recomputes the history of a world.
    pub fn of(world: &World) -> Oracle {
        let mut oracle = Oracle {
            members: world.genesis.members.iter().map(|member| member.id).collect(),
            ..Oracle::default()
        };
        for (height, (time, commands)) in (1..).zip(&world.blocks) {
            oracle.times.insert(height, *time);
            for bytes in commands {
                let signed: SignedCommand = codec::decode(bytes).expect("a sound command");
                oracle.commands.insert(signed.command.id(), signed.command);
            }
        }
        world.leaves.iter().for_each(|leaf| oracle.replay(leaf));
        oracle
    }

    /// Compares everything that is counted and chained with the state.
    pub fn agrees_with(&self, world: &World, patients: usize, members: usize) {
        for index in 0..patients {
            let patient = crate::world::patient(index);
            let accesses = world.accesses(index);
            let list = List { count: accesses.count, head: accesses.head };
            assert_eq!(list, self.receipts.get(&patient).copied().unwrap_or_default());
            let consent = world.consent(index);
            let list = List { count: consent.count, head: consent.head };
            assert_eq!(list, self.consents.get(&patient).copied().unwrap_or_default());
            let erasures: ErasureState = world.value(Key::Erasures(patient)).unwrap_or_default();
            let list = List { count: erasures.count, head: erasures.head };
            assert_eq!(list, self.erasures.get(&patient).copied().unwrap_or_default());
            let open: BTreeSet<AccessId> = accesses.open.iter().map(|record| record.id).collect();
            let ours = self.accesses.iter().filter(|(_, own)| own.patient == patient && !own.over);
            assert_eq!(open, ours.map(|(id, _)| *id).collect());
        }
        for index in 0..members {
            let member = crate::world::id(index);
            let head: AnchorHead = world.value(Key::Anchor(member)).unwrap_or_default();
            let list = List { count: head.batches, head: head.head };
            let ours = self.anchors.get(&member).copied().unwrap_or_default();
            assert_eq!((list, head.next), ours);
            let erased: ErasedChunk =
                world.value(Key::Erased { custodian: member, chunk: 0 }).unwrap_or_default();
            for sequence in 0..=head.next {
                let ours = self.erased.contains(&(member, sequence));
                assert_eq!(erased.contains(sequence as u16), ours);
            }
        }
    }

    /// Whether stewards and holders may answer.
    pub fn covers(
        &self,
        access: &AccessId,
        (patient, custodian, category): (PatientId, MemberId, Category),
        epoch: u32,
        now: u64,
    ) -> bool {
        let Some(own) = self.accesses.get(access) else { return false };
        let reached = own.only.as_ref().is_none_or(|only| only.contains(&custodian));
        let begun = self.epochs.get(&(patient, custodian, category)).copied().unwrap_or(0);
        let hidden = self.restrictions.values().any(|(whose, categories, custodians)| {
            *whose == patient
                && categories.contains(category)
                && (custodians.is_empty() || custodians.contains(&custodian))
        });
        let offered = own.categories.contains(category)
            && reached
            && (!hidden || !matches!(own.basis, Basis::Grant(_)));
        !own.over
            && own.patient == patient
            && now < own.until
            && self.members.contains(&own.reader)
            && self.links.contains(&(patient, custodian))
            && epoch <= begun
            && (offered || (custodian == own.reader && own.wrote.contains(category)))
    }

    fn replay(&mut self, leaf: &Leaf) {
        match &leaf.entry {
            Entry::Outcome { height, command, author, outcome: Outcome::Accepted(event) } => {
                let command = self.commands[command].clone();
                assert_eq!(command.author, *author);
                self.accepted(leaf, &command, event, self.times[height]);
            }
            Entry::Due { height, event: Event::Ended { access, .. } } => {
                assert!(self.accesses[access].until <= self.times[height]);
                self.end(*access);
            }
            _ => {}
        }
    }

    fn accepted(&mut self, leaf: &Leaf, command: &Command, event: &Event, now: u64) {
        if let Author::Patient(patient) = command.author {
            self.patient_event(leaf, patient, command, event);
        }
        match (&command.body, event) {
            (Body::Propose(change), Event::Proposed(id)) => {
                self.changes.insert(*id, change.clone());
            }
            (Body::Propose(change), Event::Voted { decided: Some(true), .. }) => {
                self.change(change.clone());
            }
            (_, Event::Voted { proposal, decided: Some(true) }) => {
                self.change(self.changes[proposal].clone());
            }
            (_, Event::Enrolled(patient)) => {
                let Author::Member(member) = command.author else { panic!("members enrol") };
                self.links.insert((*patient, member));
            }
            (_, Event::Anchored { custodian, first, count, .. }) => {
                let (list, next) = self.anchors.entry(*custodian).or_default();
                assert_eq!(first, next);
                list.push("carestone/anchors/v1\n", leaf);
                *next += u64::from(*count);
            }
            (Body::Erase { patient, runs, .. }, Event::Erased(erasure)) => {
                let Author::Member(custodian) = command.author else { panic!("members erase") };
                assert!(self.links.contains(&(*patient, custodian)));
                let anchored = self.anchors[&custodian].1;
                for run in runs {
                    for sequence in run.first..run.first + u64::from(run.count) {
                        assert!(sequence < anchored, "what is erased was anchored");
                        assert!(self.erased.insert((custodian, sequence)), "once");
                    }
                }
                let list = self.erasures.entry(*patient).or_default();
                list.push("carestone/erasures/v1\n", leaf);
                assert_eq!((erasure.number, erasure.time), (list.count, now));
                assert_eq!((erasure.patient, erasure.custodian), (*patient, custodian));
                assert_eq!(erasure.runs, *runs);
            }
            (Body::OpenAccess(request) | Body::BreakGlass { request, .. }, event) => {
                let Event::Accessed(receipt) = event else { panic!("{event:?}") };
                self.receipts
                    .entry(request.patient)
                    .or_default()
                    .push("carestone/receipts/v1\n", leaf);
                assert_eq!(receipt.number, self.receipts[&request.patient].count);
                assert_eq!(receipt.time, now);
                self.opened(request, receipt, now);
            }
            (_, Event::Ended { access, .. }) => self.end(*access),
            _ => {}
        }
    }

    fn patient_event(&mut self, leaf: &Leaf, patient: PatientId, command: &Command, event: &Event) {
        match (&command.body, event) {
            (Body::Grant(terms), Event::Granted { grant, .. }) => {
                self.grants.insert(*grant, (patient, terms.clone(), 0));
            }
            (_, Event::Revoked { grant, ended, .. }) => {
                self.grants.remove(grant).expect("a grant that was given");
                let resting = |own: &Access| own.basis == Basis::Grant(*grant) && !own.over;
                let ours = self.accesses.iter().filter(|(_, own)| resting(own));
                let ours: BTreeSet<AccessId> = ours.map(|(id, _)| *id).collect();
                assert_eq!(ours, ended.iter().copied().collect());
                ours.into_iter().for_each(|access| self.end(access));
            }
            (Body::Restrict { categories, custodians }, Event::Restricted { restriction, .. }) => {
                let hidden = (patient, *categories, custodians.clone());
                self.restrictions.insert(*restriction, hidden);
            }
            (_, Event::Lifted { restriction, .. }) => {
                self.restrictions.remove(restriction).expect("a restriction that was made");
            }
            (_, Event::Linked { custodian, .. }) => {
                self.links.insert((patient, *custodian));
                return;
            }
            _ => return,
        }
        self.consents.entry(patient).or_default().push("carestone/consents/v1\n", leaf);
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Admit(member) => assert!(self.members.insert(member.id)),
            Change::Remove(member) => assert!(self.members.remove(&member)),
            Change::Origins(_) => {}
        }
    }

    fn end(&mut self, access: AccessId) {
        let own = self.accesses.get_mut(&access).expect("it was opened");
        assert!(!own.over, "it ends once");
        own.over = true;
        if own.basis == Basis::Custodian {
            return;
        }
        for member in (0..MEMBERS_EVER).map(crate::world::id) {
            if own.only.as_ref().is_none_or(|only| only.contains(&member)) {
                for category in own.categories.iter() {
                    *self.epochs.entry((own.patient, member, category)).or_default() += 1;
                }
            }
        }
    }

    /// Judges a receipt and remembers the access.
    fn opened(&mut self, request: &Request, receipt: &Receipt, now: u64) {
        assert!(self.members.contains(&receipt.reader));
        let (categories, own, until, basis) = match &receipt.decision {
            Decision::Allowed { categories, own, until, basis } => {
                (*categories, *own, *until, basis.clone())
            }
            Decision::Denied(denial) => return self.denied(request, receipt, *denial, now),
        };
        assert!(!categories.is_empty() && categories.without(request.categories).is_empty());
        assert!(now < until && until - now <= request.duration_ms.min(24 * HOUR));
        let mut only = self.linked(request, &request.custodians);
        let mut wrote = self.written(request, receipt.reader);
        match &basis {
            Basis::Custodian => {
                let itself = Some([receipt.reader].into());
                assert_eq!((categories, wrote), (request.categories, request.categories));
                let offers = self.offers(request, receipt.reader, now);
                assert!(only == itself || offers.is_empty(), "a grant would show more");
                only = itself;
            }
            Basis::Emergency(_) => {
                assert_eq!(categories, request.categories.and(CategorySet::EMERGENCY));
                assert!(until - now <= 4 * HOUR);
                wrote = CategorySet::EMPTY;
            }
            Basis::Grant(id) => {
                let most = self.offers(request, receipt.reader, now).into_values().max();
                assert_eq!(most, Some(categories.len()), "no grant covers more");
                let offers = self.offers(request, receipt.reader, now);
                assert!(offers.contains_key(id), "the grant is in force");
                let (_, terms, uses) = self.grants.get_mut(id).expect("a grant that was given");
                *uses += 1;
                assert_eq!(categories, request.categories.and(terms.categories));
                assert!(until <= terms.until);
                let terms = terms.clone();
                only = narrower(only, self.linked(request, &terms.custodians));
            }
        }
        assert_eq!(own, wrote);
        let (patient, reader) = (request.patient, receipt.reader);
        let own = Access { patient, reader, categories, only, wrote, until, basis, over: false };
        self.accesses.insert(receipt.access, own);
    }

    fn denied(&self, request: &Request, receipt: &Receipt, denial: Denial, now: u64) {
        let somewhere = self.linked(request, &request.custodians).is_none_or(|own| !own.is_empty());
        match denial {
            Denial::NoConsent => {
                assert!(self.offers(request, receipt.reader, now).is_empty());
                assert!(self.written(request, receipt.reader).is_empty());
            }
            Denial::NotVital => {
                assert!(request.categories.and(CategorySet::EMERGENCY).is_empty());
            }
            Denial::NotLinked => assert!(!somewhere),
            Denial::TooMany => {
                let open = self.accesses.values();
                let open = open.filter(|own| own.patient == request.patient && !own.over);
                assert!(open.count() >= 4);
            }
        }
    }

    /// The grants in force that say something about a request, and how many categories each covers.
    fn offers(&self, request: &Request, reader: MemberId, now: u64) -> BTreeMap<GrantId, usize> {
        let mut offers = BTreeMap::new();
        for (id, (patient, terms, uses)) in &self.grants {
            let asked = self.linked(request, &request.custodians);
            let only = narrower(asked, self.linked(request, &terms.custodians));
            let categories = request.categories.and(terms.categories);
            let in_force = *patient == request.patient
                && terms.grantee == reader
                && terms.purposes.contains(&request.purpose)
                && (terms.from..terms.until).contains(&now)
                && terms.accesses_max.is_none_or(|most| *uses < most);
            if in_force && !categories.is_empty() && only.is_none_or(|only| !only.is_empty()) {
                offers.insert(*id, categories.len());
            }
        }
        offers
    }

    /// What a reader asks for of the records that it wrote itself.
    fn written(&self, request: &Request, reader: MemberId) -> CategorySet {
        let asked = request.custodians.is_empty() || request.custodians.contains(&reader);
        let linked = self.links.contains(&(request.patient, reader));
        if asked && linked { request.categories } else { CategorySet::EMPTY }
    }

    /// Those of a list that are linked to the patient; `None` stands for every one.
    fn linked(&self, request: &Request, list: &[MemberId]) -> Option<BTreeSet<MemberId>> {
        let linked = |member: &&MemberId| self.links.contains(&(request.patient, **member));
        (!list.is_empty()).then(|| list.iter().filter(linked).copied().collect())
    }
}

fn narrower(
    one: Option<BTreeSet<MemberId>>,
    other: Option<BTreeSet<MemberId>>,
) -> Option<BTreeSet<MemberId>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.intersection(&other).copied().collect()),
        (one, other) => one.or(other),
    }
}

/// Members that the random histories know.
pub const MEMBERS_EVER: usize = 6;
