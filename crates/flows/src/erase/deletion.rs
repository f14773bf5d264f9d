//! Records are deleted once their erasure is on this member's own ledger, and nothing that was made
//! of them is handed out.

use std::collections::BTreeSet;

use futures::StreamExt;
use ledger::{Entry, Erasure, Event, Outcome, PatientId};
use vault::Erased;

use super::of_vault;
use crate::{FlowError, Member, Session, limits, words};

impl Member {
    /// Deletes whatever is erased by now on this member's own ledger: its own records, copies that
    /// it keeps, and what it has opened.
    ///
    /// # Errors
    /// A fatal one if the vault or the ledger cannot be used.
    pub fn catch_up(&self) -> Result<(), FlowError> {
        let mut progress = self.progress();
        let end = self.chain.tip().size;
        let mut next = match progress.read {
            Some(read) => read,
            None => self.noted()?.min(end),
        };
        while next < end {
            let to = end.min(next + limits::ERASURE_PAGE);
            let mut found = false;
            for entry in self.chain.entries(next..to)? {
                if let Entry::Outcome { outcome: Outcome::Accepted(Event::Erased(one)), .. } = entry
                {
                    self.delete_erased(&one)?;
                    progress.gone.push(one.patient);
                    found = true;
                }
            }
            next = to;
            if found || next - progress.noted >= limits::ERASURE_NOTED_EVERY {
                self.vault.put_setting(READ_SETTING, &next.to_le_bytes())?;
                progress.noted = next;
            }
        }
        progress.read = Some(next);
        Ok(())
    }

    fn delete_erased(&self, erasure: &Erasure) -> Result<(), FlowError> {
        let Erasure { custodian, patient, .. } = *erasure;
        let is_gone = |sequence| erasure.runs.iter().any(|run| run.contains(sequence));
        let erased =
            Erased { patient: patient.0, runs: erasure.runs.iter().map(of_vault).collect() };
        let own = if custodian == self.id { self.vault.erase(&erased)? } else { 0 };
        // Remembered of this member's own, too: another holder may still offer them.
        let copies = self.vault.erase_copies(custodian.0, &erased)?;
        self.parted.forget(custodian, is_gone);
        self.sessions.forget(|record| record.custodian == custodian && is_gone(record.sequence));
        let reason = words::erasure_word(erasure.reason);
        tracing::info!(%custodian, number = erasure.number, reason, own, copies, "records erased");
        Ok(())
    }

    fn noted(&self) -> Result<u64, FlowError> {
        let noted = self.vault.setting(READ_SETTING)?;
        let bytes = noted.and_then(|bytes| bytes.try_into().ok());
        Ok(bytes.map_or(0, u64::from_le_bytes))
    }

    /// Deletes what is erased, block by block, for as long as the member runs.
    pub(crate) async fn erase_loop(&self) -> FlowError {
        let mut blocks = self.chain.subscribe();
        loop {
            if let Err(error) = self.catch_up() {
                return error;
            }
            if blocks.next().await.is_none() {
                blocks = self.chain.subscribe(); // This loop was too slow for the stream.
            }
        }
    }

    /// Takes what is erased out of what was opened, whoever gave it.
    pub(crate) fn without_erased(&self, session: &mut Session) -> Result<(), FlowError> {
        let patient = session.receipt.patient;
        if self.chain.erasures(patient)?.count == 0 {
            return Ok(());
        }
        let mut kept = Vec::with_capacity(session.records.len());
        for record in session.records.drain(..) {
            if !self.vault.is_erased(record.custodian.0, patient.0, record.sequence)? {
                kept.push(record);
            }
        }
        session.records = kept;
        Ok(())
    }

    /// How many erasures this process has seen.
    pub(crate) fn erasures_seen(&self) -> usize {
        self.progress().gone.len()
    }

    /// Whether records of one of these patients were erased since.
    pub(crate) fn were_erased_since(&self, seen: usize, patients: &BTreeSet<PatientId>) -> bool {
        let progress = self.progress();
        let since = progress.gone.get(seen..).unwrap_or_default();
        since.iter().any(|patient| patients.contains(patient))
    }
}

/// How far the log was read for erasures.
const READ_SETTING: &str = "erasures-read";
