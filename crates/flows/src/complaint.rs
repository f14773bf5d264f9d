//! A steward that answers wrongly is accused on the ledger, with evidence that anybody can judge.

use custody::{Answer, Complaint, PublicKey};
use ledger::Body;

use crate::Member;

impl Member {
    /// Accuses the stewards with these indices. The reader needs no answer: it has enough good partials.
    pub(crate) fn accuse(&self, public: &PublicKey, culprits: &[u32], answers: &[Answer]) {
        for answer in answers.iter().filter(|answer| culprits.contains(&answer.index())) {
            let Some(complaint) = Complaint::find(public, answer) else { continue };
            tracing::warn!(steward = %answer.steward(), "a steward signed a bad partial");
            let (_, command) = self.command(Body::Complain {
                access: answer.access(),
                steward: answer.steward(),
                evidence: complaint.to_bytes(),
            });
            self.world.network.submit(command);
        }
    }
}
