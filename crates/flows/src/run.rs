//! Everything a member does by itself, for as long as it runs.

use futures::future::{BoxFuture, FutureExt, select_all};

use crate::{FlowError, Member};

impl Member {
    /// Runs the member: takes part in the custody ceremony, anchors, sends copies, drops ended sessions,
    /// deletes what is erased.
    /// Ends only with a fatal error, after which the process must end too.
    pub async fn run(&self) -> FlowError {
        let loops: [BoxFuture<'_, FlowError>; 7] = [
            self.ceremony_loop().boxed(),
            self.house_loop().boxed(),
            self.anchor_loop().boxed(),
            self.copy_loop().boxed(),
            self.session_loop().boxed(),
            self.erase_loop().boxed(),
            self.order_loop().boxed(),
        ];
        select_all(loops).await.0
    }

    /// Opens the member's own account, for its records without a patient.
    async fn house_loop(&self) -> FlowError {
        loop {
            match self.open_account(self.house(), Vec::new()).await {
                Ok(()) => return std::future::pending().await,
                Err(error) if error.is_fatal() => return error,
                Err(error) => tracing::debug!(%error, "the member's own account is not open yet"),
            }
        }
    }
}
