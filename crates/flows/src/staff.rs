//! Staff on the ledger: a salted commitment that only their organisation can open, and must open to
//! the patient who asks.

use hmac::{Hmac, KeyInit, Mac};
use ledger::StaffRef;
use sha2::Sha256;

use crate::Member;

impl Member {
    /// The commitment to a member of staff for one command, named by its nonce.
    pub(crate) fn staff_ref(&self, staff: &str, nonce: u64) -> StaffRef {
        let salt = self.staff_salt(staff, nonce);
        StaffRef(proof::sha256(&[b"carestone/staff/v1\n", &salt, staff.as_bytes()]))
    }

    /// The salt that opens it. It is derived, so that nothing has to be kept to keep the promise.
    fn staff_salt(&self, staff: &str, nonce: u64) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.secret.staff_key())
            .expect("HMAC takes any key length");
        mac.update(&nonce.to_le_bytes());
        mac.update(staff.as_bytes());
        mac.finalize().into_bytes().into()
    }
}
