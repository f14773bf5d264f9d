//! Bearer tokens of this node's own issue: who somebody is, until when, under a MAC of the node.
//!
//! A token never decides alone: what it lets somebody ask for is decided by the ledger like any request.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use borsh::{BorshDeserialize, BorshSerialize};
use hmac::{Hmac, KeyInit, Mac};
use ledger::PatientId;
use sha2::Sha256;

use crate::{Member, NodeSecret};

/// Who the bearer of a token is to this node.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Bearer {
    /// A system that delivers records and binds patients, such as an EHR.
    System(String),
    /// A member of staff who reads.
    Staff(String),
    /// A patient who looks at their own account.
    Patient(PatientId),
    /// The node's operator.
    Operator,
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of this node.
    #[error("the token is not one of this node; ask its operator for one")]
    Unknown,
    /// Its time is over.
    #[error("the token has expired; ask the node's operator for a new one")]
    Expired,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct Claims {
    bearer: Bearer,
    expires_ms: u64,
}

impl NodeSecret {
    /// Issues a token that holds until this time, in milliseconds since the Unix epoch.
    pub fn issue_token(&self, bearer: Bearer, expires_ms: u64) -> String {
        let claims = borsh::to_vec(&Claims { bearer, expires_ms }).expect("memory does not fail");
        let tag = self.token_mac(&claims).finalize().into_bytes();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(claims), URL_SAFE_NO_PAD.encode(tag))
    }

    /// Who the bearer of a token is.
    ///
    /// # Errors
    /// [`TokenError`] if this node did not issue it, or if its time is over.
    pub fn check_token(&self, token: &str, now_ms: u64) -> Result<Bearer, TokenError> {
        let (claims, tag) = token.split_once('.').ok_or(TokenError::Unknown)?;
        let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| TokenError::Unknown)?;
        let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| TokenError::Unknown)?;
        self.token_mac(&claims).verify_slice(&tag).map_err(|_| TokenError::Unknown)?;
        let claims: Claims = borsh::from_slice(&claims).map_err(|_| TokenError::Unknown)?;
        if now_ms < claims.expires_ms { Ok(claims.bearer) } else { Err(TokenError::Expired) }
    }

    fn token_mac(&self, claims: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&*self.token_key()).expect("HMAC takes any key length");
        mac.update(b"carestone/token/v1\n");
        mac.update(claims);
        mac
    }
}

impl Member {
    /// Who the bearer of a token of this node is, now.
    pub fn check_token(&self, token: &str) -> Result<Bearer, TokenError> {
        self.secret.check_token(token, self.world.clock.now_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_for_its_time_and_its_node() {
        let node = NodeSecret::new([1; 32]);
        let bearer = Bearer::Staff("dr.okafor".to_owned());
        let token = node.issue_token(bearer.clone(), 1_000);
        assert_eq!(node.check_token(&token, 999), Ok(bearer));
        assert_eq!(node.check_token(&token, 1_000), Err(TokenError::Expired));
        assert_eq!(NodeSecret::new([2; 32]).check_token(&token, 0), Err(TokenError::Unknown));
        for place in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            // The last digit of a part may carry bits that the encoding ignores; those are refused too.
            assert!(node.check_token(&forged, 0).is_err(), "place {place}");
        }
    }
}
