//! Open accesses at this member: found again, closed early, dropped when the ledger ends them.

use std::sync::Arc;

use futures::StreamExt;
use ledger::{AccessId, Body};

use crate::{FlowError, Member, Session};

impl Member {
    /// The session of an access, if the access is still open on this member's ledger.
    pub fn session(&self, access: AccessId) -> Result<Option<Arc<Session>>, FlowError> {
        let Some(session) = self.sessions.find(access) else { return Ok(None) };
        Ok(self.is_open(&session)?.then_some(session))
    }

    /// A session that is open and fits.
    pub fn session_by(
        &self,
        fits: impl Fn(&Session) -> bool,
    ) -> Result<Option<Arc<Session>>, FlowError> {
        let Some(session) = self.sessions.find_by(fits) else { return Ok(None) };
        Ok(self.is_open(&session)?.then_some(session))
    }

    /// How many sessions are open.
    pub fn session_count(&self) -> usize {
        self.sessions.count()
    }

    /// Ends an access of this member early.
    pub async fn close(&self, session: &Session) -> Result<(), FlowError> {
        let (patient, access) = (session.receipt.patient, session.access());
        self.act(Body::CloseAccess { patient, access }).await?;
        self.sessions.retain(|kept| kept.access() != access);
        Ok(())
    }

    fn is_open(&self, session: &Session) -> Result<bool, FlowError> {
        let open = self.open_access(session.access(), self.id)?;
        Ok(open.is_some_and(|open| self.now() < open.record().until))
    }

    /// Drops the sessions that the ledger ended, block by block.
    pub(crate) async fn session_loop(&self) -> FlowError {
        let mut blocks = self.chain.subscribe();
        loop {
            if blocks.next().await.is_none() {
                blocks = self.chain.subscribe(); // This loop was too slow for the stream: begin anew.
            }
            let holds = |session: &Session| self.is_open(session).unwrap_or(false);
            self.sessions.retain(holds);
        }
    }
}
