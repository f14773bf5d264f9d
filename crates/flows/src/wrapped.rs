//! What a node keeps for its own eyes: values in borsh, sealed under its own key. Each has a label,
//! what it is and what it is called, so that none is taken for another.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{FlowError, Member};

impl Member {
    /// Seals a value. What it is never changes: by it the value is read again.
    pub(crate) fn wrap(&self, what: &str, name: &[u8], value: &impl BorshSerialize) -> Vec<u8> {
        let plain = borsh::to_vec(value).expect("writing to memory does not fail");
        let label = [what.as_bytes(), name].concat();
        self.world.with_chance(|mut rng| self.keys.wrap(&label, &plain, &mut rng))
    }

    /// Opens a value.
    ///
    /// # Errors
    /// [`FlowError::Evidence`] if it is damaged, or sealed by another node or as something else.
    pub(crate) fn unwrap<T: BorshDeserialize>(
        &self,
        what: &str,
        name: &[u8],
        sealed: &[u8],
    ) -> Result<T, FlowError> {
        let damaged = || FlowError::Evidence(format!("what is kept as {what} cannot be read"));
        let label = [what.as_bytes(), name].concat();
        let plain = self.keys.unwrap(&label, sealed).map_err(|_| damaged())?;
        borsh::from_slice(&plain).map_err(|_| damaged())
    }
}
