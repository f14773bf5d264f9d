//! What is found again by name: outcomes, receipts, anchors. All of it follows from the log.

use ledger::{CommandId, Entry, Event, MemberId, Outcome, PatientId};

/// Where the outcome of a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CommandRow {
    /// The command.
    pub id: CommandId,
    /// Position of an outcome in the log.
    pub position: u64,
    /// Whether it is the command's one outcome: [`Outcome::settles`]. The first outcome of a command
    /// counts, unless a later one settles.
    pub settles: bool,
}

/// Names in some entries, with their positions.
#[derive(Default)]
pub(crate) struct Index {
    /// Outcomes.
    pub commands: Vec<CommandRow>,
    /// Patient, number and position of receipts.
    pub receipts: Vec<(PatientId, u64, u64)>,
    /// Custodian, first record and position of anchors.
    pub anchors: Vec<(MemberId, u64, u64)>,
}

impl Index {
    /// Adds an entry.
    pub fn add(&mut self, entry: &Entry, position: u64) {
        let Entry::Outcome { command, outcome, .. } = entry else { return };
        let settles = outcome.settles();
        self.commands.push(CommandRow { id: *command, position, settles });
        match outcome {
            Outcome::Accepted(Event::Accessed(receipt)) => {
                self.receipts.push((receipt.patient, receipt.number, position));
            }
            Outcome::Accepted(Event::Anchored { custodian, first, .. }) => {
                self.anchors.push((*custodian, *first, position));
            }
            _ => {}
        }
    }
}
