//! The sealed records of an access: from their custodians, or from who holds copies.

use custody::ReaderSecret;
use futures::future::join_all;
use ledger::MemberId;

use super::Sealed;
use crate::{Answer, Ask, FlowError, Member, OpenAccess, OpenedRecord, Page, message::WireRecord};

impl Member {
    /// Fetches from all custodians at once; says who could not be reached, nor any of its holders.
    pub(super) async fn fetch_all(
        &self,
        open: &OpenAccess,
    ) -> Result<(Vec<Sealed>, Vec<MemberId>), FlowError> {
        let account = self.chain.account(open.record().patient)?;
        let linked = account.map(|account| account.custodians).unwrap_or_default();
        let custodians: Vec<MemberId> =
            linked.into_iter().filter(|custodian| open.record().reaches(*custodian)).collect();
        let fetched = join_all(custodians.iter().map(|custodian| self.fetch(open, *custodian)));
        let (mut sealed, mut missing) = (Vec::new(), Vec::new());
        for (custodian, fetched) in custodians.iter().zip(fetched.await) {
            match fetched {
                Ok(one) => sealed.push(one),
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, %custodian, "a custodian's records cannot be had now");
                    missing.push(*custodian);
                }
            }
        }
        Ok((sealed, missing))
    }

    /// Fetches one custodian's sealed records: from itself, else from the holders of its copies.
    pub(super) async fn fetch(
        &self,
        open: &OpenAccess,
        custodian: MemberId,
    ) -> Result<Sealed, FlowError> {
        let mut holders = vec![custodian];
        holders.extend(self.holders(custodian)?);
        // What lies in this member's own vault needs no network.
        holders.sort_by_key(|holder| *holder != self.id);
        let mut last = FlowError::Unavailable("no holder of the records can be reached");
        for holder in holders {
            match self.fetch_from(open, custodian, holder).await {
                Ok(sealed) => return Ok(sealed),
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Opens one custodian's records as another holder gives them, because those of this holder do
    /// not fit the ledger.
    pub(super) async fn open_elsewhere(
        &self,
        open: &OpenAccess,
        reader: &ReaderSecret,
        custodian: MemberId,
        not_from: MemberId,
    ) -> Result<Vec<OpenedRecord>, FlowError> {
        let mut last = FlowError::Unavailable("no other holder has the records");
        let others = std::iter::once(custodian).chain(self.holders(custodian)?);
        for holder in others.filter(|holder| *holder != not_from) {
            let opened = async {
                let sealed = self.fetch_from(open, custodian, holder).await?;
                let sealed = std::slice::from_ref(&sealed);
                let secrets = self.open_scopes(open, reader, sealed).await?;
                self.open_records(open, &secrets, sealed[0].clone())
            };
            match opened.await {
                Err(error) if !error.is_fatal() => last = error,
                opened => return opened,
            }
        }
        Err(last)
    }

    pub(super) async fn fetch_from(
        &self,
        open: &OpenAccess,
        custodian: MemberId,
        holder: MemberId,
    ) -> Result<Sealed, FlowError> {
        let mut sealed = Sealed {
            custodian,
            holder,
            scopes: Vec::new(),
            records: Vec::new(),
            batches: Vec::new(),
        };
        let mut next = Some(0);
        while let Some(from) = next {
            let page = self.fetch_page(open, custodian, holder, from).await?;
            next = page.next.filter(|next| *next > from);
            sealed.scopes.extend(page.scopes);
            sealed.batches.extend(page.batches);
            for mut record in page.records {
                if record.envelope.is_empty() {
                    record.envelope = self.fetch_parts(open, custodian, holder, &record).await?;
                }
                sealed.records.push(record);
            }
        }
        Ok(sealed)
    }

    async fn fetch_page(
        &self,
        open: &OpenAccess,
        custodian: MemberId,
        holder: MemberId,
        from: u64,
    ) -> Result<Page, FlowError> {
        if holder == self.id {
            return self.page(open, custodian, from);
        }
        let access = open.record().id;
        match self.ask(holder, Ask::Fetch { access, custodian, from }).await? {
            Answer::Page(page) => Ok(page),
            _ => Err(FlowError::Unavailable("the holder of the records gave none")),
        }
    }

    /// Fetches a large envelope in parts.
    async fn fetch_parts(
        &self,
        open: &OpenAccess,
        custodian: MemberId,
        holder: MemberId,
        record: &WireRecord,
    ) -> Result<Vec<u8>, FlowError> {
        let (access, sequence) = (open.record().id, record.sequence);
        let mut envelope = Vec::new();
        loop {
            let ask = Ask::FetchPart { access, custodian, sequence, offset: envelope.len() as u64 };
            let answer = if holder == self.id {
                self.part(open, custodian, sequence, envelope.len() as u64)?
            } else {
                self.ask(holder, ask).await?
            };
            match answer {
                Answer::Part(part) if part.is_empty() => return Ok(envelope),
                Answer::Part(part)
                    if envelope.len() + part.len() <= vault::limits::ENVELOPE_BYTES_MAX =>
                {
                    envelope.extend(part);
                }
                _ => return Err(FlowError::Unavailable("a large record could not be fetched")),
            }
        }
    }
}
