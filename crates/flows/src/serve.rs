//! What a member does for others: hands out sealed records, keeps copies, signs scope names. Nothing
//! leaves without an access that is open on this member's *own* ledger.

use std::collections::BTreeMap;

use borsh::BorshDeserialize;
use custody::{Identity, Scope};
use ledger::{AccessId, Category, CategorySet, MemberId, PatientId};
use vault::{ScopeTag, SealedRecord, Versions};

use crate::{
    Answer, Ask, FlowError, Member, OpenAccess, Page, Refusal, ScopeEpoch, limits,
    message::{WireBatch, WireRecord, WireScope},
};

impl Member {
    /// Answers a request of another member. A fatal error means that the process must end.
    pub async fn serve(&self, from: MemberId, request: &[u8]) -> Result<Vec<u8>, FlowError> {
        let answer = match Ask::try_from_slice(request) {
            Ok(ask) => self.answer(from, ask).await,
            Err(_) => Ok(Answer::Refused(Refusal::Malformed)),
        };
        match answer {
            Ok(answer) => Ok(answer.encode()),
            Err(error) if error.is_fatal() => Err(error),
            Err(error) => {
                tracing::warn!(%error, %from, "a request was refused");
                Ok(Answer::Refused(Refusal::Unavailable).encode())
            }
        }
    }

    async fn answer(&self, from: MemberId, ask: Ask) -> Result<Answer, FlowError> {
        match ask {
            Ask::Fetch { access, custodian, from: first } => {
                let Some(open) = self.await_access(access, from).await? else {
                    return Ok(Answer::Refused(Refusal::NoAccess));
                };
                self.page(&open, custodian, first).map(Answer::Page)
            }
            Ask::FetchPart { access, custodian, sequence, offset } => {
                let Some(open) = self.await_access(access, from).await? else {
                    return Ok(Answer::Refused(Refusal::NoAccess));
                };
                self.part(&open, custodian, sequence, offset)
            }
            Ask::Open { access, scopes } => self.sign_scopes(from, access, &scopes).await,
            Ask::Keep(copies) => self.keep(from, copies),
            Ask::KeepErased { commitments } => self.keep_erased(from, &commitments),
            Ask::KeepPart { sequence, offset, bytes } => {
                Ok(self.parted.add(from, sequence, offset, bytes))
            }
        }
    }

    // ---- holder ----------------------------------------------------------------------------------

    /// A page of the sealed records that an access covers at a custodian: this member's own, or the
    /// copies it keeps. Of copies it does not know the categories, so it gives all of the patient's:
    /// the reader can open only what the stewards sign.
    pub(crate) fn page(
        &self,
        open: &OpenAccess,
        custodian: MemberId,
        from: u64,
    ) -> Result<Page, FlowError> {
        self.catch_up()?;
        if !self.reaches(open, custodian)? {
            return Ok(Page::default());
        }
        let patient = open.record().patient;
        let tags = if custodian == self.id { Some(self.covered_tags(open)?) } else { None };
        let records = self.held_from(patient, custodian, from, limits::PAGE_RECORDS)?;
        let mut page = Page::default();
        if from == 0 {
            page.scopes = self.wire_scopes(patient, custodian, tags.as_ref())?;
        }
        page.next = fill(&mut page.records, records, tags.as_ref());
        if let Some(next) = page.next
            && self.held_from(patient, custodian, next, 1)?.is_empty()
        {
            page.next = None; // Saves the reader a round trip for an empty page.
        }
        page.batches = self.batches(custodian, &page.records)?;
        Ok(page)
    }

    /// Whether the access opens anything of this custodian's. A custodian that it does not name looks like
    /// one that has nothing.
    fn reaches(&self, open: &OpenAccess, custodian: MemberId) -> Result<bool, FlowError> {
        let account = self.chain.account(open.record().patient)?;
        let is_linked = account.is_some_and(|account| account.custodians.contains(&custodian));
        Ok(is_linked && open.record().reaches(custodian))
    }

    /// The sealed records of a patient that lie here, of this member or copied from another.
    fn held_from(
        &self,
        patient: PatientId,
        custodian: MemberId,
        from: u64,
        max: usize,
    ) -> Result<Vec<SealedRecord>, FlowError> {
        Ok(if custodian == self.id {
            self.vault.records_of_patient(patient.0, Versions::All, from, max)?
        } else {
            self.vault.copies_of_patient(custodian.0, patient.0, Versions::All, from, max)?
        })
    }

    /// The tags of this member's own scopes that the access covers, each with its category. A scope that
    /// is restricted is not covered, and so looks like one that does not exist.
    fn covered_tags(&self, open: &OpenAccess) -> Result<BTreeMap<ScopeTag, Category>, FlowError> {
        let patient = open.record().patient;
        let mut tags = BTreeMap::new();
        for category in CategorySet::ALL.iter() {
            if self.covers(open, self.id, category, 0)? {
                tags.insert(self.keys.scope_tag(&patient.0, category as u8), category);
            }
        }
        Ok(tags)
    }

    fn wire_scopes(
        &self,
        patient: PatientId,
        custodian: MemberId,
        categories: Option<&BTreeMap<ScopeTag, Category>>,
    ) -> Result<Vec<WireScope>, FlowError> {
        let Some(categories) = categories else {
            let copied = self.vault.copied_scopes_of_patient(custodian.0, patient.0)?;
            return Ok(copied.into_iter().map(|scope| WireScope::new(scope, None)).collect());
        };
        let own = self.vault.scopes_of_patient(patient.0)?.into_iter();
        let known = own.filter_map(|own| {
            let category = categories.get(&own.sealed.scope)?;
            Some(WireScope::new(own.sealed, Some(*category)))
        });
        Ok(known.collect())
    }

    /// The anchored batches of these records.
    fn batches(
        &self,
        custodian: MemberId,
        records: &[WireRecord],
    ) -> Result<Vec<WireBatch>, FlowError> {
        let mut batches: Vec<WireBatch> = Vec::new();
        for record in records {
            let covered = batches.last().is_some_and(|batch| {
                record.sequence < batch.first + batch.commitments.len() as u64
            });
            if covered {
                continue;
            }
            match self.batch(custodian, record.sequence)? {
                Some(batch) => batches.push(batch),
                None => break, // Not anchored yet, and so are all that follow.
            }
        }
        Ok(batches)
    }

    fn batch(&self, custodian: MemberId, sequence: u64) -> Result<Option<WireBatch>, FlowError> {
        if custodian == self.id {
            let batch = self.vault.batch_of(sequence)?;
            return Ok(
                batch.map(|batch| WireBatch { first: batch.first, commitments: batch.commitments })
            );
        }
        let Some(anchor) = self.chain.anchored(custodian, sequence)? else { return Ok(None) };
        let commitments = self.vault.copied_commitments(custodian.0, anchor.first, anchor.count)?;
        Ok(commitments.map(|commitments| WireBatch { first: anchor.first, commitments }))
    }

    /// A part of a large envelope.
    pub(crate) fn part(
        &self,
        open: &OpenAccess,
        custodian: MemberId,
        sequence: u64,
        offset: u64,
    ) -> Result<Answer, FlowError> {
        let Some(record) = self.held(open, custodian, sequence)? else {
            return Ok(Answer::Refused(Refusal::NotHeld));
        };
        let bytes = record.envelope.as_bytes();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = start.saturating_add(limits::MESSAGE_ENVELOPE_BYTES).min(bytes.len());
        Ok(Answer::Part(bytes[start..end].to_vec()))
    }

    fn held(
        &self,
        open: &OpenAccess,
        custodian: MemberId,
        sequence: u64,
    ) -> Result<Option<SealedRecord>, FlowError> {
        self.catch_up()?;
        if !self.reaches(open, custodian)? {
            return Ok(None);
        }
        let page = self.held_from(open.record().patient, custodian, sequence, 1)?;
        let tags = if custodian == self.id { Some(self.covered_tags(open)?) } else { None };
        let covered = |record: &SealedRecord| {
            tags.as_ref().is_none_or(|tags| tags.contains_key(&record.place.scope))
        };
        Ok(page.into_iter().find(|record| record.sequence == sequence && covered(record)))
    }

    // ---- steward ---------------------------------------------------------------------------------

    /// Signs the names of scopes with this member's share: those that the access covers on this member's own
    /// ledger. The others are left out, without a reason.
    pub(crate) async fn sign_scopes(
        &self,
        from: MemberId,
        access: AccessId,
        scopes: &[ScopeEpoch],
    ) -> Result<Answer, FlowError> {
        let custody = self.custody()?;
        let Some(steward) = &custody.steward else {
            return Ok(Answer::Refused(Refusal::NotHeld));
        };
        if scopes.len() > limits::IDENTITIES_MAX {
            return Ok(Answer::Refused(Refusal::Malformed));
        }
        let Some(open) = self.await_access(access, from).await? else {
            return Ok(Answer::Refused(Refusal::NoAccess));
        };
        let identities = self.covered_identities(&open, scopes)?;
        // The ledger has checked possession of this key.
        let reader_key = open.record().reader_key;
        let answer = self.world.with_chance(|mut rng| {
            custody::answer(&mut rng, steward, access, &reader_key, &identities)
        });
        match answer {
            Ok(answer) => Ok(Answer::Opened(answer.as_bytes().to_vec())),
            Err(_) => Ok(Answer::Refused(Refusal::Malformed)),
        }
    }

    fn covered_identities(
        &self,
        open: &OpenAccess,
        scopes: &[ScopeEpoch],
    ) -> Result<Vec<Identity>, FlowError> {
        let patient = open.record().patient;
        let mut identities = Vec::new();
        for ScopeEpoch { custodian, category, epoch } in scopes.iter().copied() {
            if self.covers(open, custodian, category, epoch)? {
                let scope = Scope { patient, custodian, category };
                identities.push(Identity { network: self.network, scope, epoch });
            }
        }
        Ok(identities)
    }
}

/// Takes covered records until the page is full; says where the next page begins.
fn fill(
    page: &mut Vec<WireRecord>,
    records: Vec<SealedRecord>,
    categories: Option<&BTreeMap<ScopeTag, Category>>,
) -> Option<u64> {
    let mut bytes = 0;
    let mut next = None;
    for record in records {
        next = Some(record.sequence + 1);
        if categories.is_some_and(|tags| !tags.contains_key(&record.place.scope)) {
            continue;
        }
        let size = record.envelope.as_bytes().len().min(limits::MESSAGE_ENVELOPE_BYTES);
        if bytes + size > limits::PAGE_BYTES && !page.is_empty() {
            return Some(record.sequence);
        }
        bytes += size;
        page.push(WireRecord::new(record, limits::MESSAGE_ENVELOPE_BYTES));
    }
    next
}
