//! Who of this node's staff opened an access. The ledger holds a commitment to it; what opens the
//! commitment is kept here.

/// Who opened an access, sealed by the caller: what was kept first stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// The access.
    pub access: [u8; 32],
    /// Who, and what else opens the commitment, encrypted.
    pub sealed: Vec<u8>,
}
