//! Evidence that outlives the network: proof files that `carestone verify` checks offline.

use chain::RecordOpening;
use ledger::PatientId;

use crate::{FlowError, Member, sessions::OpenedRecord};

impl Member {
    /// The proof file of an opened record: from its bytes to a checkpoint that enough members cosigned.
    ///
    /// # Errors
    /// [`FlowError::Unavailable`] while the record is younger than the last anchor or checkpoint.
    pub fn prove_record(&self, record: &OpenedRecord) -> Result<String, FlowError> {
        let Some((batch, _)) = &record.anchor else {
            return Err(FlowError::Unavailable("it is not anchored yet; try again in a second"));
        };
        let leaves: Vec<_> =
            batch.commitments.iter().map(|leaf| proof::tree::leaf_hash(leaf)).collect();
        let opening = RecordOpening {
            custodian: record.custodian,
            sequence: record.sequence,
            salt: record.salt,
            digest: proof::sha256(&[record.exact.bytes()]),
            path: proof::tree::inclusion_path(&leaves, record.sequence - batch.first)
                .map_err(|error| FlowError::Evidence(error.to_string()))?,
        };
        Ok(self.chain.prove_record(opening)?.to_text())
    }

    /// The proof file of one entry of the log: a receipt, a grant, a denial.
    pub fn prove_entry(&self, index: u64) -> Result<String, FlowError> {
        Ok(self.chain.prove_entry(index)?.to_text())
    }

    /// The proof file of a patient's whole list of receipts: these are all, and there is no other.
    pub fn prove_receipts(&self, patient: PatientId) -> Result<String, FlowError> {
        Ok(self.chain.prove_receipts(patient)?.to_text())
    }
}
