//! The attacks that the design names, played on whole networks. Each test says which defence it
//! tests, and has a control: the same deed, done rightly, succeeds.

use std::sync::Arc;

use custody::{Identity, Question, ReaderSecret, SealedAnswer, Verdict};
use flows::{Answer, Ask, FlowError, Network, Refusal, ScopeEpoch};
use futures::FutureExt;
use ledger::{
    AccessId, Author, Body, Category, CategorySet, Command, CommandId, Entry, Event, GrantId,
    MemberId, Outcome, PatientId, Purpose, Reject, Request, Scope, StaffRef,
};
use proof::checkpoint::{Checkpoint, Note};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use sim::{
    Cast, Conduct, Stage,
    byzantine::resign,
    patient::{COMMON, Key, Patient, assert as assertion, terms},
    play,
    watch::Stored,
    workload::{Workload, reading},
};

/// A network with one patient, whose records are delivered and anchored.
struct Scene {
    stage: Arc<Stage>,
    story: Workload,
    patient: PatientId,
    home: usize,
    reader: usize,
}

fn scene<T, F>(conduct: Option<Conduct>, play_on: impl FnOnce(Scene) -> F) -> T
where
    F: Future<Output = T>,
{
    // Who changes envelopes is asked first if it is the custodian; all others may be anybody.
    let home = Patient::invent(SEED, 1, 4).deliveries[0].place;
    let cheat = if conduct == Some(Conduct::ChangedEnvelopes) { home } else { 3 };
    let cast = match conduct {
        Some(conduct) => Cast::new(SEED, 4).with(cheat, conduct),
        None => Cast::new(SEED, 4),
    };
    let (value, _) = play(Arc::new(cast), |stage| async move {
        assert!(stage.ready(60_000).await, "the ceremony ends");
        let mut story = Workload::new(SEED, 2, 4);
        story.patients.remove(0); // The second one has a passkey.
        while !story.deliver(&stage).await {
            stage.sleep(500).await;
        }
        stage.sleep(3_000).await;
        let patient = story.patients[0].account.unwrap();
        let places: Vec<usize> = story.patients[0].deliveries.iter().map(|d| d.place).collect();
        let home = places[0];
        // Who reads has no copies of its own, so it has to ask.
        let desk = stage.expect(home);
        let holders = desk.holders(desk.id).unwrap();
        let asks = |place: &usize| {
            let id = stage.expect(*place).id;
            *place != home && *place != cheat && !holders.contains(&id)
        };
        let reader = (0..4).find(asks).unwrap();
        play_on(Scene { stage, story, patient, home, reader }).await
    });
    value
}

impl Scene {
    async fn grant(&self, categories: CategorySet) -> GrantId {
        let desk = self.stage.expect(self.home);
        let grantee = self.stage.expect(self.reader).id;
        let terms = terms(grantee, categories, desk.chain.tip().time + 600_000);
        match self.story.sign(&desk, 0, Body::Grant(terms)).await.unwrap() {
            Event::Granted { grant, .. } => grant,
            other => panic!("{other:?}"),
        }
    }

    /// A request of the reader, with a reader key of which the test has the secret.
    fn request(&self, nonce: u64) -> (ReaderSecret, Request) {
        let member = self.stage.expect(self.reader);
        let mut rng = ChaCha20Rng::seed_from_u64(nonce);
        let (secret, reader_key) =
            ReaderSecret::generate(&mut rng, member.network, member.id, self.patient, nonce);
        let request = Request {
            patient: self.patient,
            categories: CategorySet::ALL,
            custodians: Vec::new(),
            purpose: Purpose::Treatment,
            staff: StaffRef([1; 32]),
            duration_ms: 300_000,
            reader_key,
        };
        (secret, request)
    }

    /// Signs a command as the reader.
    fn sign(&self, nonce: u64, body: Body) -> (CommandId, Vec<u8>) {
        let member = self.stage.expect(self.reader);
        let author = Author::Member(member.id);
        let expires = member.chain.tip().time + 60_000;
        let command = Command { network: member.network, author, nonce, expires, body };
        let key = self.stage.cast.hospitals[self.reader].secret().command_key();
        (command.id(), command.sign(&key).encode())
    }

    async fn open(&self, nonce: u64) -> (AccessId, ReaderSecret) {
        let (secret, request) = self.request(nonce);
        let (id, bytes) = self.sign(nonce, Body::OpenAccess(request));
        let done = self.stage.expect(self.reader).submit_final(id, bytes).await.unwrap();
        assert!(matches!(done.event, Event::Accessed(_)));
        (AccessId(id.0), secret)
    }

    fn scope(&self, custodian: MemberId, category: Category, epoch: u32) -> ScopeEpoch {
        ScopeEpoch { custodian, category, epoch }
    }

    fn home_id(&self) -> MemberId {
        self.stage.cast.hospitals[self.home].id
    }

    async fn ask(&self, from: usize, to: usize, ask: Ask) -> Option<Answer> {
        let to = self.stage.cast.hospitals[to].id;
        self.stage.node(from).unwrap().line.ask_raw(to, &ask).await
    }

    /// What a steward signs for the reader, if it answers at all.
    async fn signed(
        &self,
        steward: usize,
        access: AccessId,
        secret: &ReaderSecret,
        scopes: &[ScopeEpoch],
    ) -> Result<Vec<Identity>, Refusal> {
        let ask = Ask::Open { access, scopes: scopes.to_vec() };
        let sealed = match self.ask(self.reader, steward, ask).await.unwrap() {
            Answer::Opened(sealed) => SealedAnswer::from_bytes(sealed),
            Answer::Refused(refusal) => return Err(refusal),
            other => panic!("{other:?}"),
        };
        let member = self.stage.expect(steward);
        let custody = member.custody().unwrap();
        let identities: Vec<Identity> = scopes.iter().map(|scope| self.identity(*scope)).collect();
        let question = Question {
            network: member.network,
            access,
            public: &custody.public,
            identities: &identities,
        };
        let key = self.stage.cast.hospitals[steward].secret().command_public();
        let answer = custody::open_answer(secret, &question, member.id, &key, &sealed).unwrap();
        Ok(answer.partials().map(|(identity, _)| identity).collect())
    }

    /// What a holder gives the reader of the home's copies: records of a page, and bytes of a part.
    async fn copies(&self, holder: usize, access: AccessId) -> (usize, usize) {
        let custodian = self.home_id();
        let fetch = Ask::Fetch { access, custodian, from: 0 };
        let records = match self.ask(self.reader, holder, fetch).await.unwrap() {
            Answer::Page(page) => page.records,
            other => panic!("{other:?}"),
        };
        let notes =
            |stored: &&Stored| stored.patient == self.patient && stored.custodian == self.home;
        let sequence = self.stage.watch.notes().stored.iter().find(notes).unwrap().sequence;
        let part = Ask::FetchPart { access, custodian, sequence, offset: 0 };
        match self.ask(self.reader, holder, part).await.unwrap() {
            Answer::Part(part) => (records.len(), part.len()),
            Answer::Refused(Refusal::NotHeld) => (records.len(), 0),
            other => panic!("{other:?}"),
        }
    }

    fn identity(&self, scope: ScopeEpoch) -> Identity {
        let ScopeEpoch { custodian, category, epoch } = scope;
        let network = self.stage.expect(self.home).network;
        Identity { network, scope: Scope { patient: self.patient, custodian, category }, epoch }
    }

    fn receipts(&self) -> usize {
        self.stage.expect(self.home).chain.receipts(self.patient).unwrap().len()
    }

    fn stewards(&self) -> Vec<usize> {
        (0..4).filter(|place| *place != self.reader).collect()
    }
}

#[test]
fn proof_of_possession_stops_a_foreign_reader_key() {
    scene(None, |scene| async move {
        scene.grant(CategorySet::ALL).await;
        let (_, mut request) = scene.request(7);
        request.reader_key.possession[0] ^= 1;
        let (_, bytes) = scene.sign(7, Body::OpenAccess(request));
        let member = scene.stage.expect(scene.reader);
        let refused = member.submit_signed(bytes.clone()).await;
        assert!(matches!(refused, Err(FlowError::Rejected(Reject::NoPossession))), "{refused:?}");
        // A proof made for another command is none either.
        let (_, other) = scene.request(8);
        let (_, replayed) = scene.sign(9, Body::OpenAccess(other));
        scene.stage.node(scene.reader).unwrap().line.submit(bytes);
        scene.stage.node(scene.reader).unwrap().line.submit(replayed);
        scene.stage.sleep(4_000).await;
        assert_eq!(scene.receipts(), 0, "nothing was ordered");
        scene.open(10).await;
        scene.stage.sleep(3_000).await;
        assert_eq!(scene.receipts(), 1, "the same with a proof");
    });
}

#[test]
fn own_ledger_stops_a_share_for_another_scope() {
    scene(None, |scene| async move {
        scene.grant(CategorySet::of(&[COMMON])).await;
        let (access, secret) = scene.open(7).await;
        let home = scene.home_id();
        let granted = scene.scope(home, COMMON, 0);
        let asked = [
            granted,
            scene.scope(home, COMMON, 1),
            scene.scope(home, Category::Genetics, 0),
            scene.scope(scene.stage.cast.hospitals[3].id, Category::Results, 0),
        ];
        for steward in scene.stewards() {
            let signed = scene.signed(steward, access, &secret, &asked).await.unwrap();
            assert_eq!(signed, [scene.identity(granted)], "steward {steward}");
        }
    });
}

#[test]
fn memory_of_commands_stops_a_replayed_access() {
    scene(None, |scene| async move {
        scene.grant(CategorySet::ALL).await;
        let (_, request) = scene.request(7);
        let (id, bytes) = scene.sign(7, Body::OpenAccess(request));
        let member = scene.stage.expect(scene.reader);
        member.submit_final(id, bytes.clone()).await.unwrap();
        let access = AccessId(id.0);
        member.act(Body::CloseAccess { patient: scene.patient, access }).await.unwrap();
        let before = scene.receipts();
        for place in 0..4 {
            scene.stage.node(place).unwrap().line.submit(bytes.clone());
        }
        scene.stage.sleep(5_000).await;
        assert_eq!(scene.receipts(), before, "it is ordered once");
        assert!(member.chain.access(access).unwrap().is_none(), "and stays closed");
        // Ordered again by a cheating leader, the rules refuse it.
        let copy = replay_of(&scene, 0);
        let applied = apply(&copy, bytes);
        let Entry::Outcome { outcome, .. } = &applied.entries[0] else { panic!() };
        assert_eq!(*outcome, Outcome::Rejected(Reject::Replayed));
    });
}

#[test]
fn reader_binding_stops_an_access_of_somebody_else() {
    scene(None, |scene| async move {
        scene.grant(CategorySet::ALL).await;
        let (access, secret) = scene.open(7).await;
        let scope = scene.scope(scene.home_id(), COMMON, 0);
        let thief = scene.stewards().into_iter().find(|place| *place != scene.home).unwrap();
        let custodian = scene.home_id();
        for ask in [
            Ask::Open { access, scopes: vec![scope] },
            Ask::Fetch { access, custodian, from: 0 },
            Ask::FetchPart { access, custodian, sequence: 0, offset: 0 },
        ] {
            let answer = scene.ask(thief, scene.home, ask).await;
            assert_eq!(answer, Some(Answer::Refused(Refusal::NoAccess)));
        }
        let signed = scene.signed(scene.home, access, &secret, &[scope]).await.unwrap();
        assert_eq!(signed.len(), 1, "its reader gets it");
    });
}

#[test]
fn own_ledger_stops_a_revoked_grant_with_a_stale_proof() {
    scene(None, |scene| async move {
        let grant = scene.grant(CategorySet::ALL).await;
        let (access, secret) = scene.open(7).await;
        let scope = scene.scope(scene.home_id(), COMMON, 0);
        assert!(scene.signed(scene.home, access, &secret, &[scope]).await.is_ok());
        let member = scene.stage.expect(scene.reader);
        let (index, _) = member.chain.outcome(CommandId(access.0)).unwrap().unwrap();
        member.chain.wait_cosigned(index).await.unwrap();
        let stale = member.prove_entry(index).unwrap();
        let desk = scene.stage.expect(scene.home);
        scene.story.sign(&desk, 0, Body::Revoke(grant)).await.unwrap();
        scene.stage.sleep(3_000).await;
        proof::verify(&stale, &member.proof_policy().unwrap()).expect("the receipt was real");
        for steward in scene.stewards() {
            let signed = scene.signed(steward, access, &secret, &[scope]).await;
            assert_eq!(signed, Err(Refusal::NoAccess), "steward {steward}");
        }
        let custodian = scene.home_id();
        let page = scene.ask(scene.reader, scene.home, Ask::Fetch { access, custodian, from: 0 });
        assert_eq!(page.await, Some(Answer::Refused(Refusal::NoAccess)));
    });
}

#[test]
fn threshold_stops_a_bad_share_and_leaves_evidence() {
    scene(Some(Conduct::BadPartials), |scene| async move {
        reads_everything(&scene).await;
        scene.stage.sleep(3_000).await;
        let member = scene.stage.expect(scene.reader);
        let size = member.chain.tip().size;
        let entries = member.chain.entries(0..size).unwrap();
        let complaint = entries.iter().find_map(|entry| match entry {
            Entry::Outcome {
                outcome: Outcome::Accepted(Event::Complained { access, steward, evidence }),
                ..
            } => Some((*access, *steward, evidence.clone())),
            _ => None,
        });
        let (access, steward, evidence) = complaint.expect("the reader complains");
        assert_eq!(steward, scene.stage.cast.hospitals[3].id);
        let public = &member.custody().unwrap().public;
        let key = scene.stage.cast.hospitals[3].secret().command_public();
        let verdict = custody::judge(&evidence, public, steward, access, &key);
        assert!(matches!(verdict, Ok(Verdict::Guilty(_))), "{verdict:?}");
    });
}

#[test]
fn threshold_stops_a_steward_without_a_share() {
    scene(Some(Conduct::EmptyAnswers), |scene| async move { reads_everything(&scene).await });
}

#[test]
fn threshold_stops_a_steward_that_answers_nobody() {
    scene(Some(Conduct::Mute), |scene| async move { reads_everything(&scene).await });
}

#[test]
fn order_of_identities_stops_a_share_of_the_wrong_epoch() {
    scene(Some(Conduct::OtherScopes), |scene| async move { reads_everything(&scene).await });
}

#[test]
fn copies_stop_a_holder_that_changes_envelopes() {
    scene(Some(Conduct::ChangedEnvelopes), |scene| async move { reads_everything(&scene).await });
}

#[test]
fn settled_outcomes_stop_a_foreign_signature_under_a_command() {
    scene(Some(Conduct::Resigns), |scene| async move { reads_everything(&scene).await });
}

#[test]
fn own_ledger_stops_copies_of_a_custodian_that_was_not_asked() {
    scene(None, |mut scene| async move {
        let desk = scene.stage.expect(scene.home);
        let holder = desk.holders(desk.id).unwrap()[0];
        let holder_place = scene.stage.cast.place_of(holder).unwrap();
        let bystander = |place: &usize| *place != scene.home && *place != holder_place;
        scene.reader = (0..4).find(bystander).unwrap();
        let linked = desk.chain.account(scene.patient).unwrap().unwrap().custodians;
        if !linked.contains(&holder) {
            scene.story.sign(&desk, 0, Body::Link(holder)).await.unwrap();
        }
        scene.grant(CategorySet::ALL).await;
        let (_, mut request) = scene.request(7);
        request.custodians = vec![holder];
        let (id, bytes) = scene.sign(7, Body::OpenAccess(request));
        let reader = scene.stage.expect(scene.reader);
        reader.submit_final(id, bytes).await.unwrap();
        let narrow = scene.copies(holder_place, AccessId(id.0)).await;
        assert_eq!(narrow, (0, 0), "the access names another custodian");
        let (wide, _) = scene.open(8).await;
        let (records, part) = scene.copies(holder_place, wide).await;
        assert!(records > 0 && part > 0, "the holder has copies: {records}, {part}");
    });
}

#[test]
fn author_key_stops_a_foreign_signature_from_answering_those_who_wait() {
    scene(None, |scene| async move {
        scene.grant(CategorySet::ALL).await;
        scene.stage.sleep(3_000).await;
        let (_, request) = scene.request(7);
        let (id, own) = scene.sign(7, Body::OpenAccess(request));
        let thief = scene.stage.cast.hospitals[scene.home].secret().command_key();
        let foreign = resign(&own, &thief).unwrap();
        let copy = replay_of(&scene, scene.home);
        let mut early = Box::pin(copy.wait(id));
        apply(&copy, foreign);
        let (_, refused) = copy.outcome(id).unwrap().unwrap();
        assert!(matches!(
            refused,
            Entry::Outcome { outcome: Outcome::Rejected(Reject::WrongKey), .. }
        ));
        assert!((&mut early).now_or_never().is_none(), "who waits from before waits on");
        let mut late = Box::pin(copy.wait(id));
        assert!((&mut late).now_or_never().is_none(), "and so does who comes now");
        apply(&copy, own);
        for waiting in [early.now_or_never(), late.now_or_never()] {
            let (_, entry) = waiting.expect("it is final").unwrap();
            assert!(matches!(
                entry,
                Entry::Outcome { outcome: Outcome::Accepted(Event::Accessed(_)), .. }
            ));
        }
    });
}

#[test]
fn threshold_stops_stewards_that_are_one_too_few() {
    scene(None, |scene| async move {
        let identity = scene.identity(scene.scope(scene.home_id(), COMMON, 0));
        let custody: Vec<_> =
            (0..4).map(|place| scene.stage.expect(place).custody().unwrap()).collect();
        let public = &custody[0].public;
        assert_eq!(public.threshold(), 3);
        let partial = |place: usize| custody[place].steward.as_ref().unwrap().partial(&identity);
        for (one, other) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] {
            let two = [partial(one), partial(other)];
            assert!(custody::recover(public, &identity, &two).is_err(), "{one} and {other}");
            let twice = [two[0], two[1], two[0]];
            assert!(custody::recover(public, &identity, &twice).is_err(), "nor one twice");
        }
        let three = [partial(0), partial(1), partial(2)];
        assert!(custody::recover(public, &identity, &three).is_ok(), "one more suffices");
    });
}

#[test]
fn signer_origin_stops_a_login_as_consent() {
    scene(None, |scene| async move {
        let desk = scene.stage.expect(scene.home);
        let known = desk.chain.account(scene.patient).unwrap().unwrap();
        let grantee = scene.stage.expect(scene.reader).id;
        let now = desk.chain.tip().time;
        let command = Command {
            network: desk.network,
            author: Author::Patient(scene.patient),
            nonce: known.nonce,
            expires: now + 60_000,
            body: Body::Grant(terms(grantee, CategorySet::ALL, now + 600_000)),
        };
        let Key::Passkey(key) = &scene.story.patients[0].key else { panic!("has a passkey") };
        // The hospital's page asks for a login, with the consent's id as its challenge.
        let page = "https://portal.hospital.example.org";
        let login = assertion(key, &command.id(), page, "sign.example.org");
        let bytes = command.clone().assert(login).encode();
        let refused = desk.submit_signed(bytes.clone()).await;
        assert!(matches!(refused, Err(FlowError::Rejected(Reject::ForeignOrigin))), "{refused:?}");
        // Handed to the network past the door, it is ordered and refused.
        scene.stage.node(scene.home).unwrap().line.submit(bytes);
        scene.stage.sleep(4_000).await;
        assert!(desk.chain.consent(scene.patient).unwrap().grants.is_empty());
        // A login's own challenge is no consent, wherever it was signed.
        let challenge = CommandId(proof::sha256(&[b"carestone/login/v1\n", page.as_bytes()]));
        let login = assertion(key, &challenge, "https://sign.example.org", "sign.example.org");
        let bytes = command.clone().assert(login).encode();
        let refused = desk.submit_signed(bytes).await;
        assert!(matches!(refused, Err(FlowError::Rejected(Reject::BadSignature))), "{refused:?}");
        scene.grant(CategorySet::ALL).await;
        assert_eq!(desk.chain.consent(scene.patient).unwrap().grants.len(), 1, "at the signer");
    });
}

#[test]
fn cosignatures_reveal_a_split_view() {
    scene(None, |scene| async move {
        let copy = replay_of(&scene, 0);
        let truth = copy.pending_checkpoint().unwrap();
        let lie = Checkpoint { root: [7; 32], ..truth.clone() };
        let shown = |place: usize, checkpoint: &Checkpoint| {
            let seed = scene.stage.cast.hospitals[place].secret().cosign_seed();
            let line = proof::cosignature::sign(&seed, checkpoint, 1);
            let note = Note { checkpoint: checkpoint.clone(), signatures: vec![line] };
            (scene.stage.cast.hospitals[place].id, note.to_text().into_bytes())
        };
        let (liar, note) = shown(1, &lie);
        let found = copy.add_cosignature(liar, &note);
        assert!(matches!(found, Err(chain::CosignError::Divergence(_))), "{found:?}");
        let evidence = copy.divergences();
        assert_eq!((evidence[0].member, evidence[0].theirs), (liar, lie.root));
        // Who sees everybody else agree on another log knows that it is the one who was deceived.
        for place in [2, 3] {
            let (member, note) = shown(place, &lie);
            let found = copy.add_cosignature(member, &note);
            let stops = matches!(found, Err(chain::CosignError::Chain(ref e)) if e.is_fatal());
            assert_eq!(stops, place == 3, "{found:?}");
        }
        let control = replay_of(&scene, 0);
        for place in [1, 2] {
            let (member, note) = shown(place, &truth);
            control.add_cosignature(member, &note).unwrap();
        }
        assert!(control.divergences().is_empty());
    });
}

/// A member's ledger, in a copy that nobody else uses.
fn replay_of(scene: &Scene, place: usize) -> chain::Chain {
    let copy = chain::Chain::open(None, &scene.stage.cast.genesis).unwrap();
    let notes = scene.stage.watch.notes();
    for block in notes.blocks[&place].values() {
        copy.apply(block).unwrap();
    }
    copy
}

/// The next block of a copy, with one command.
fn apply(copy: &chain::Chain, command: Vec<u8>) -> Arc<chain::Applied> {
    let (height, time) = (copy.tip().height + 1, copy.tip().time + 1);
    copy.apply(&chain::Block { height, time, commands: vec![command] }).unwrap()
}

/// Whatever one member does, a granted read opens every record there is.
async fn reads_everything(scene: &Scene) {
    scene.grant(CategorySet::ALL).await;
    let session = scene.stage.expect(scene.reader).read(reading(scene.patient)).await.unwrap();
    assert_eq!(session.missing, []);
    let notes = scene.stage.watch.notes();
    let stored = notes.stored.iter().filter(|stored| stored.patient == scene.patient).count();
    assert!(stored > 0);
    assert_eq!(session.records.len(), stored);
}

const SEED: u64 = 3;
