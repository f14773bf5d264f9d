//! A custodian's own scope secrets: drawn when an epoch is first written to, sealed to the network,
//! wrapped for this node, chained back to the epoch before.

use std::{collections::HashMap, sync::Mutex};

use custody::{ChainLink, Identity, Scope, ScopeSecret};
use ledger::{Category, PatientId};
use vault::{OwnScope, ScopeTag, SealedScope};

use crate::{FlowError, Member};

/// The newest secret of the scopes that were written to lately. Losing it costs a look-up.
#[derive(Default)]
pub(crate) struct Scopes(Mutex<HashMap<ScopeTag, (u32, ScopeSecret)>>);

/// Where a record goes, and the secret it is sealed under.
pub(crate) struct Writing {
    pub tag: ScopeTag,
    pub epoch: u32,
    pub secret: ScopeSecret,
    /// The epoch itself, if it is new and has to be stored with the record.
    pub opened: Option<OwnScope>,
}

impl Scopes {
    /// Remembers a stored epoch's secret.
    pub(crate) fn remember(&self, tag: ScopeTag, epoch: u32, secret: ScopeSecret) {
        let mut secrets = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if secrets.len() >= REMEMBERED_MAX {
            secrets.clear();
        }
        secrets.insert(tag, (epoch, secret));
    }

    fn recall(&self, tag: ScopeTag, epoch: u32) -> Option<ScopeSecret> {
        let secrets = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        secrets.get(&tag).filter(|(known, _)| *known == epoch).map(|(_, secret)| secret.clone())
    }
}

impl Member {
    /// The scope in which a record of this patient and category is to be written now.
    pub(crate) fn writing(
        &self,
        patient: PatientId,
        category: Category,
    ) -> Result<Writing, FlowError> {
        let tag = self.keys.scope_tag(&patient.0, category as u8);
        let epoch = self.chain.epochs(patient)?.epoch(self.id, category);
        if let Some(secret) = self.scopes.recall(tag, epoch) {
            return Ok(Writing { tag, epoch, secret, opened: None });
        }
        let newest = self.vault.scope(tag)?.pop();
        match newest {
            // A ledger that is behind its own vault has yet to catch up; the newer epoch is the safer one.
            Some(scope) if scope.sealed.epoch >= epoch => {
                let secret = self.scope_secret(&scope)?;
                let epoch = scope.sealed.epoch;
                self.scopes.remember(tag, epoch, secret.clone());
                Ok(Writing { tag, epoch, secret, opened: None })
            }
            previous => {
                let identity = self.identity(patient, category, epoch);
                let (secret, opened) = self.open_epoch(tag, identity, previous)?;
                Ok(Writing { tag, epoch, secret, opened: Some(opened) })
            }
        }
    }

    /// The name that opens one of this member's own scopes.
    pub(crate) fn identity(&self, patient: PatientId, category: Category, epoch: u32) -> Identity {
        let scope = Scope { patient, custodian: self.id, category };
        Identity { network: self.network, scope, epoch }
    }

    /// A secret of this member's own, from its own vault.
    pub(crate) fn scope_secret(&self, scope: &OwnScope) -> Result<ScopeSecret, FlowError> {
        let sealed = &scope.sealed;
        let secret = self.keys.unwrap_scope(sealed.scope, sealed.epoch, &scope.wrapped);
        let secret = secret.map_err(|error| FlowError::Evidence(error.to_string()))?;
        Ok(ScopeSecret::from_bytes(*secret))
    }

    /// Draws the secret of a new epoch. Nobody is asked, and nothing goes over the network.
    fn open_epoch(
        &self,
        tag: ScopeTag,
        identity: Identity,
        previous: Option<OwnScope>,
    ) -> Result<(ScopeSecret, OwnScope), FlowError> {
        let custody = self.custody()?;
        let older = match &previous {
            Some(scope) => Some((scope.sealed.epoch, self.scope_secret(scope)?)),
            None => None,
        };
        self.world.with_chance(|mut rng| {
            let secret = ScopeSecret::generate(&mut rng);
            let seal = custody::seal(&mut rng, &custody.public, &identity, &secret);
            let back = older.map(|(epoch, older)| {
                custody::chain_previous(&mut rng, &identity, &secret, epoch, &older)
            });
            let back = back.transpose().map_err(|error| FlowError::Evidence(error.to_string()))?;
            let sealed = SealedScope {
                scope: tag,
                epoch: identity.epoch,
                patient: identity.scope.patient.0,
                seal: seal.to_bytes().to_vec(),
                back: back.map(|link: ChainLink| link.to_bytes().to_vec()),
            };
            let wrapped = self.keys.wrap_scope(tag, identity.epoch, secret.expose(), &mut rng);
            Ok((secret, OwnScope { sealed, wrapped }))
        })
    }
}

/// Most secrets remembered: 32 bytes each, and some for the map.
const REMEMBERED_MAX: usize = 65_536;
