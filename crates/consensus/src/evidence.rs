//! Proof that a member voted two ways, as the engine meets it.

use crate::wiring::Scheme;
use commonware_actor::Feedback;
use commonware_consensus::{Reporter, Viewable, simplex::types::Activity};
use commonware_cryptography::sha256::Digest;

/// Tells the operator about conflicting votes.
#[derive(Clone)]
pub(crate) struct Watch;

impl Reporter for Watch {
    type Activity = Activity<Scheme, Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        let conflict = matches!(
            activity,
            Activity::ConflictingNotarize(_)
                | Activity::ConflictingFinalize(_)
                | Activity::NullifyFinalize(_)
        );
        if conflict {
            let view = activity.view().get();
            tracing::warn!(view, "a member has signed two conflicting votes: {activity:?}");
        }
        Feedback::Ok
    }
}
