//! The secrets of scopes: shares of the stewards, checked and put together.

use std::collections::{BTreeMap, BTreeSet};

use custody::{
    ChainLink, Identity, OpeningKey, PublicKey, Question, ReaderSecret, Scope, ScopeSecret,
    SealedAnswer,
};
use futures::{StreamExt, stream::FuturesUnordered};
use ledger::{CategorySet, MemberId, PatientId};

use super::{Sealed, Secrets};
use crate::{
    Answer, Ask, Custody, FlowError, Member, OpenAccess, ScopeEpoch, limits, message::WireScope,
};

impl Member {
    /// The secrets of every epoch of every scope that the access opens, by custodian, tag and
    /// epoch.
    pub(super) async fn open_scopes(
        &self,
        open: &OpenAccess,
        reader: &ReaderSecret,
        sealed: &[Sealed],
    ) -> Result<Secrets, FlowError> {
        let asked = self.scopes_to_open(open, sealed);
        if asked.is_empty() {
            return Ok(Secrets::new());
        }
        let custody = self.custody()?;
        let keys = self.recover(open, reader, &custody, &asked).await?;
        let mut secrets = Secrets::new();
        for one in sealed {
            open_seals(one, &keys, &mut secrets);
        }
        Ok(secrets)
    }

    /// The newest epoch of each scope. Where the category is not known, every category that the
    /// access covers is tried: the seal opens with one of them or with none.
    fn scopes_to_open(&self, open: &OpenAccess, sealed: &[Sealed]) -> Vec<ScopeEpoch> {
        let mut asked = BTreeSet::new();
        for one in sealed {
            for scope in newest(&one.scopes) {
                let known = scope.category.map(|category| CategorySet::of(&[category]));
                for category in known.unwrap_or(open.record().categories).iter() {
                    let (custodian, epoch) = (one.custodian, scope.epoch);
                    asked.insert(ScopeEpoch { custodian, category, epoch });
                }
            }
        }
        asked.into_iter().take(limits::IDENTITIES_MAX).collect()
    }

    /// Asks the stewards and recovers the opening keys as soon as enough have answered well.
    async fn recover(
        &self,
        open: &OpenAccess,
        reader: &ReaderSecret,
        custody: &Custody,
        asked: &[ScopeEpoch],
    ) -> Result<Vec<OpeningKey>, FlowError> {
        let patient = open.record().patient;
        let identities: Vec<Identity> =
            asked.iter().map(|scope| scope.identity(self.network, patient)).collect();
        let question = Question {
            network: self.network,
            access: open.record().id,
            public: &custody.public,
            identities: &identities,
        };
        let mut asking: FuturesUnordered<_> = custody
            .public
            .stewards()
            .iter()
            .map(|steward| self.ask_steward(*steward, open, asked))
            .collect();
        let mut answers = Vec::new();
        let mut best: Vec<OpeningKey> = Vec::new();
        let mut accused: BTreeSet<u32> = BTreeSet::new();
        while let Some((steward, sealed)) = asking.next().await {
            let Some(answer) = self.open_answer(reader, &question, steward, sealed)? else {
                continue;
            };
            answers.push(answer);
            if answers.len() < custody.public.threshold() as usize {
                continue;
            }
            let recovered = self.world.with_chance(|mut rng| {
                custody::recover_all(&mut rng, &custody.public, &identities, &answers)
            });
            let mut culprits = recovered.culprits;
            culprits.retain(|culprit| accused.insert(*culprit));
            self.accuse(&custody.public, &culprits, &answers);
            best = recovered.keys;
            let withheld = |identity| is_withheld(&custody.public, identity, &answers);
            if recovered.missing.iter().all(withheld) {
                return Ok(best);
            }
        }
        if answers.len() < custody.public.threshold() as usize {
            return Err(FlowError::Unavailable(
                "too few stewards answer to open the records; the receipt stands",
            ));
        }
        Ok(best)
    }

    async fn ask_steward(
        &self,
        steward: MemberId,
        open: &OpenAccess,
        scopes: &[ScopeEpoch],
    ) -> (MemberId, Option<Vec<u8>>) {
        let access = open.record().id;
        let answer = if steward == self.id {
            self.sign_scopes(self.id, access, scopes).await
        } else {
            self.ask(steward, Ask::Open { access, scopes: scopes.to_vec() }).await
        };
        match answer {
            Ok(Answer::Opened(sealed)) => (steward, Some(sealed)),
            _ => (steward, None),
        }
    }

    /// Opens a steward's answer; one that is not properly signed counts as none.
    fn open_answer(
        &self,
        reader: &ReaderSecret,
        question: &Question<'_>,
        steward: MemberId,
        sealed: Option<Vec<u8>>,
    ) -> Result<Option<custody::Answer>, FlowError> {
        let Some(sealed) = sealed else { return Ok(None) };
        let network = self.chain.network();
        let Some(member) = network.members.iter().find(|member| member.id == steward) else {
            return Ok(None);
        };
        let sealed = SealedAnswer::from_bytes(sealed);
        match custody::open_answer(reader, question, steward, &member.command_key, &sealed) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) => {
                tracing::warn!(%error, %steward, "a steward's answer is not usable");
                Ok(None)
            }
        }
    }
}

impl ScopeEpoch {
    /// The name that stewards sign.
    pub(crate) fn identity(self, network: ledger::NetworkId, patient: PatientId) -> Identity {
        let scope = Scope { patient, custodian: self.custodian, category: self.category };
        Identity { network, scope, epoch: self.epoch }
    }
}

/// Whether so many stewards leave an identity out that an honest one is among them: then the access
/// does not cover it. Fewer may be lying, and whoever has not answered yet may still sign it.
fn is_withheld(public: &PublicKey, identity: &Identity, answers: &[custody::Answer]) -> bool {
    let leaves_out =
        |answer: &&custody::Answer| !answer.partials().any(|(signed, _)| signed == *identity);
    let faults_max = public.players() - public.threshold();
    answers.iter().filter(leaves_out).count() > faults_max as usize
}

/// The newest epoch of each scope.
fn newest(scopes: &[WireScope]) -> impl Iterator<Item = &WireScope> {
    let newest: BTreeMap<[u8; 16], &WireScope> =
        scopes.iter().fold(BTreeMap::new(), |mut map, scope| {
            let place = map.entry(scope.tag).or_insert(scope);
            if scope.epoch > place.epoch {
                *place = scope;
            }
            map
        });
    newest.into_values()
}

/// Opens the newest seal of each scope with the key that fits, and walks back to the first epoch.
fn open_seals(sealed: &Sealed, keys: &[OpeningKey], secrets: &mut Secrets) {
    for scope in newest(&sealed.scopes) {
        let fits = |key: &&OpeningKey| {
            let identity = key.identity();
            identity.scope.custodian == sealed.custodian
                && identity.epoch == scope.epoch
                && scope.category.is_none_or(|category| identity.scope.category == category)
        };
        let Some(seal) = seal_of(scope) else { continue };
        let opened = keys
            .iter()
            .filter(fits)
            .find_map(|key| custody::open(key, &seal).ok().map(|secret| (*key.identity(), secret)));
        if let Some((identity, secret)) = opened {
            walk_back(sealed, scope.tag, identity, secret, secrets);
        }
    }
}

fn seal_of(scope: &WireScope) -> Option<custody::SealedScope> {
    let bytes = scope.seal.as_slice().try_into().ok()?;
    custody::SealedScope::from_bytes(bytes).ok()
}

fn walk_back(
    sealed: &Sealed,
    tag: [u8; 16],
    mut identity: Identity,
    mut secret: ScopeSecret,
    secrets: &mut Secrets,
) {
    let category = identity.scope.category;
    loop {
        secrets.insert((sealed.custodian, tag, identity.epoch), (category, secret.clone()));
        let epoch =
            sealed.scopes.iter().find(|scope| scope.tag == tag && scope.epoch == identity.epoch);
        let back = epoch.and_then(|scope| scope.back.as_deref()?.try_into().ok());
        let Some(back) = back else { return };
        match custody::walk_back(&identity, &secret, &ChainLink::from_bytes(back)) {
            Ok((older, older_secret)) => (identity, secret) = (older, older_secret),
            Err(_) => return,
        }
    }
}
