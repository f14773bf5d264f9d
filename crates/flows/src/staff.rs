//! Staff on the ledger: a salted commitment that only their organisation can open, and must open to
//! the patient who asks. What opens it is kept, sealed, before the ledger is asked.

use borsh::{BorshDeserialize, BorshSerialize};
use hmac::{Hmac, KeyInit, Mac};
use ledger::{AccessId, CommandId, StaffRef};
use sha2::Sha256;
use vault::{Batch, Reader};

use crate::{FlowError, Member};

/// A member of staff, and the salt by which anybody checks the commitment: it is the SHA-256 of
/// `carestone/staff/v1` and a line feed, the salt, and the name.
pub struct OpenedStaff {
    /// Under which name the organisation knows them, with the app that they used.
    pub name: String,
    /// The salt.
    pub salt: [u8; 32],
}

/// What is kept of a reader.
#[derive(BorshDeserialize, BorshSerialize)]
struct Kept {
    name: String,
    nonce: u64,
}

impl Member {
    /// The commitment to a member of staff for one command, named by its nonce.
    pub(crate) fn staff_ref(&self, staff: &str, nonce: u64) -> StaffRef {
        let salt = self.staff_salt(staff, nonce);
        StaffRef(proof::sha256(&[b"carestone/staff/v1\n", &salt, staff.as_bytes()]))
    }

    /// Keeps durably who is going to open an access.
    pub(crate) fn keep_reader(
        &self,
        access: CommandId,
        staff: &str,
        nonce: u64,
    ) -> Result<(), FlowError> {
        let kept = Kept { name: staff.to_owned(), nonce };
        let sealed = self.wrap(READER, &access.0, &kept);
        let readers = vec![Reader { access: access.0, sealed }];
        self.vault.store(Batch { readers, ..Batch::default() })?;
        Ok(())
    }

    /// Who of this member's staff opened an access; none if nobody of them did.
    pub fn staff_of(&self, access: AccessId) -> Result<Option<OpenedStaff>, FlowError> {
        let Some(sealed) = self.vault.reader(access.0)? else { return Ok(None) };
        let Kept { name, nonce } = self.unwrap(READER, &access.0, &sealed)?;
        let salt = self.staff_salt(&name, nonce);
        Ok(Some(OpenedStaff { name, salt }))
    }

    fn staff_salt(&self, staff: &str, nonce: u64) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.secret.staff_key())
            .expect("HMAC takes any key length");
        mac.update(&nonce.to_le_bytes());
        mac.update(staff.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

const READER: &str = "reader";
