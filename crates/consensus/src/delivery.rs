//! Agreed blocks on their way to the application.
//!
//! The engine delivers each block at least once, in order, after it is durable here. Blocks that
//! queue up are applied together, but never across the end of an epoch, because the members of
//! the next one come from the state right after the last block.

use crate::{
    Fatal,
    block::EngineBlock,
    epochs::{Advance, Calendar},
    member::Member,
};
use commonware_actor::Feedback;
use commonware_consensus::{Reporter, marshal::Update};
use commonware_cryptography::Digested;
use commonware_utils::acknowledgement::{Acknowledgement, Exact};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Where the engine reports agreed blocks.
#[derive(Clone)]
pub(crate) struct Inbox {
    member: Arc<Member>,
    sender: mpsc::UnboundedSender<Agreed>,
}

/// A block and the means to say that it is applied.
pub(crate) struct Agreed {
    block: Digested<EngineBlock>,
    done: Exact,
}

/// The queue is bounded by the engine, which waits after a few blocks without acknowledgement.
pub(crate) fn inbox(member: Arc<Member>) -> (Inbox, mpsc::UnboundedReceiver<Agreed>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Inbox { member, sender }, receiver)
}

impl Reporter for Inbox {
    type Activity = Update<EngineBlock>;

    fn report(&mut self, update: Self::Activity) -> Feedback {
        match update {
            Update::Tip(_, height, _) => {
                self.member.status().agreed_height = height.get();
                Feedback::Ok
            }
            Update::Block(block, done) => match self.sender.send(Agreed { block, done }) {
                Ok(()) => Feedback::Ok,
                Err(_) => Feedback::Closed,
            },
        }
    }
}

/// Hands agreed blocks to the application and announces the ends of epochs.
pub(crate) struct Delivery {
    pub(crate) member: Arc<Member>,
    pub(crate) calendar: Calendar,
    pub(crate) agreed: mpsc::UnboundedReceiver<Agreed>,
    pub(crate) epochs: mpsc::Sender<Advance>,
}

impl Delivery {
    /// Runs until the engine stops or the application cannot go on.
    pub(crate) async fn run(mut self) {
        while let Some(first) = self.agreed.recv().await {
            let batch = self.batch(first);
            if let Err(fatal) = self.deliver(batch).await {
                self.member.fail(fatal);
                // Dropping the acknowledgements would make the engine panic before it is told
                // to stop.
                return futures::future::pending().await;
            }
        }
    }

    fn batch(&mut self, first: Agreed) -> Vec<Agreed> {
        let mut batch = vec![first];
        while let Some(newest) = batch.last()
            && !self.calendar.is_last(newest.block.inner().number())
            && let Ok(next) = self.agreed.try_recv()
        {
            batch.push(next);
        }
        batch
    }

    async fn deliver(&self, batch: Vec<Agreed>) -> Result<(), Fatal> {
        let blocks: Vec<_> = batch.iter().map(|agreed| agreed.block.clone()).collect();
        apply(&self.member, &blocks)?;
        if let Some(last) = blocks.last()
            && self.calendar.is_last(last.inner().number())
        {
            self.advance(last).await;
        }
        batch.into_iter().for_each(|agreed| agreed.done.acknowledge());
        Ok(())
    }

    /// Returns when the next epoch is durable and its engine runs.
    async fn advance(&self, boundary: &Digested<EngineBlock>) {
        let epoch = self.calendar.epoch_after(boundary.inner().number());
        let (entered, wait) = oneshot::channel();
        let advance = Advance { epoch, boundary: boundary.clone(), entered };
        if self.epochs.send(advance).await.is_err() || wait.await.is_err() {
            // The engine is stopping; the block comes again after the restart.
            futures::future::pending::<()>().await;
        }
    }
}

/// Applies the blocks that the application does not have yet.
pub(crate) fn apply(member: &Member, blocks: &[Digested<EngineBlock>]) -> Result<(), Fatal> {
    let height = member.application.height();
    let new: Vec<_> =
        blocks.iter().map(Digested::inner).filter(|block| block.number() > height).collect();
    let (Some(first), Some(last)) = (new.first(), new.last()) else { return Ok(()) };
    if first.number() != height + 1 {
        return Err(gap(height, first.number()));
    }
    member.application.apply(new.iter().map(|block| block.to_block()).collect())?;
    if member.application.height() < last.number() {
        return Err(Fatal("the application has not kept the blocks that it applied".into()));
    }
    {
        let mut mempool = member.mempool();
        new.iter().for_each(|block| mempool.remove_ordered(block.ids()));
    }
    member.status().last_block_ms = last.time_ms();
    member.set_height(last.number());
    member.applied.notify_one();
    Ok(())
}

fn gap(height: u64, next: u64) -> Fatal {
    Fatal(format!(
        "the ledger ends at block {height} but the engine continues with block {next}; restore \
         the ledger, or delete both the ledger and the engine's folder to fetch everything anew"
    ))
}
