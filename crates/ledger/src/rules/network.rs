//! Members, votes and signer origins. A change is in force when more than two thirds of the members
//! are for it.

use alloc::{vec, vec::Vec};

use super::Ruled;
use crate::{
    BlockTime, Change, CommandId, Ed25519Key, Event, Key, Member, MemberId, NetworkState, Origin,
    Proposal, Reject, Working,
    limits::{MEMBERS_MAX, PROPOSAL_MS_MAX, PROPOSALS_MAX},
};

/// How many of `members` must agree: 2f + 1 of 3f + 1, which is more than two thirds of any number.
pub fn quorum(members: usize) -> usize {
    members - members.saturating_sub(1) / 3
}

/// The member with this id.
pub fn find(network: &NetworkState, member: MemberId) -> Option<&Member> {
    let place = network.members.binary_search_by_key(&member, |member| member.id);
    place.ok().map(|index| &network.members[index])
}

/// Checks that a member may stand beside the given ones.
///
/// # Errors
///
/// [`Reject::BadTerms`] if its id does not follow from its command key or one key has two uses,
/// [`Reject::Exists`] if it shares its id or a key with a member.
pub fn admissible(members: &[Member], candidate: &Member) -> Result<(), Reject> {
    let [command, engine, cosign] = keys(candidate);
    let distinct = command != engine && engine != cosign && command != cosign;
    if candidate.id != Member::id_of(&candidate.command_key) || !distinct {
        return Err(Reject::BadTerms);
    }
    let clash = members.iter().any(|member| {
        member.id == candidate.id || keys(member).iter().any(|key| keys(candidate).contains(key))
    });
    if clash { Err(Reject::Exists) } else { Ok(()) }
}

impl Member {
    /// The id of a member whose first command key this is: `H("carestone/member/v1\n" | key)`.
    pub fn id_of(command_key: &Ed25519Key) -> MemberId {
        MemberId(proof::sha256(&[MEMBER_DOMAIN, command_key]))
    }
}

/// Opens a proposal with its maker's vote. If that vote decides, the event says so.
pub(super) fn propose(
    state: &mut Working,
    by: MemberId,
    id: CommandId,
    change: &Change,
    now: BlockTime,
) -> Ruled {
    let network: &mut NetworkState = state.edit(Key::Network)?;
    possible(network, change)?;
    network.proposals.retain(|proposal| proposal.until > now);
    let share = (PROPOSALS_MAX / network.members.len()).max(1);
    let own = network.proposals.iter().filter(|proposal| proposal.by == by).count();
    if network.proposals.len() >= PROPOSALS_MAX || own >= share {
        return Err(Reject::Full.into());
    }
    network.proposals.push(Proposal {
        id,
        by,
        change: change.clone(),
        until: now.saturating_add(PROPOSAL_MS_MAX),
        approvals: vec![by],
        refusals: Vec::new(),
    });
    Ok(match decide(network, network.proposals.len() - 1) {
        None => Event::Proposed(id),
        decided => Event::Voted { proposal: id, decided },
    })
}

/// Counts a vote. A member may change its vote; the maker's vote against its own proposal withdraws
/// it. Votes count as long as the member is one.
pub(super) fn vote(
    state: &mut Working,
    voter: MemberId,
    id: CommandId,
    approve: bool,
    now: BlockTime,
) -> Ruled {
    let network: &mut NetworkState = state.edit(Key::Network)?;
    let open = |proposal: &Proposal| proposal.id == id && proposal.until > now;
    let index = network.proposals.iter().position(open).ok_or(Reject::UnknownProposal)?;
    let repeated = record_vote(&mut network.proposals[index], voter, approve);
    let decided = decide(network, index);
    if repeated && decided.is_none() {
        return Err(Reject::Exists.into());
    }
    Ok(Event::Voted { proposal: id, decided })
}

/// Notes the vote; true if it was cast before.
fn record_vote(proposal: &mut Proposal, voter: MemberId, approve: bool) -> bool {
    let (into, from) = match approve {
        true => (&mut proposal.approvals, &mut proposal.refusals),
        false => (&mut proposal.refusals, &mut proposal.approvals),
    };
    from.retain(|member| *member != voter);
    let repeated = into.contains(&voter);
    if !repeated {
        into.push(voter);
    }
    repeated
}

/// Decides the proposal if the votes suffice, and brings it into force.
fn decide(network: &mut NetworkState, index: usize) -> Option<bool> {
    let approved = tally(&network.proposals[index], network.members.len())?;
    let proposal = network.proposals.remove(index);
    // Members may have changed since it was made: what is impossible by now is dropped.
    if !approved || possible(network, &proposal.change).is_err() {
        return Some(false);
    }
    bring_into_force(network, proposal.change);
    Some(true)
}

fn tally(proposal: &Proposal, members: usize) -> Option<bool> {
    let needed = quorum(members);
    if proposal.refusals.contains(&proposal.by) || proposal.refusals.len() > members - needed {
        return Some(false);
    }
    (proposal.approvals.len() >= needed).then_some(true)
}

/// Whether the change makes sense now.
fn possible(network: &NetworkState, change: &Change) -> Result<(), Reject> {
    match change {
        Change::Admit(member) => {
            admissible(&network.members, member)?;
            if network.members.len() >= MEMBERS_MAX { Err(Reject::Full) } else { Ok(()) }
        }
        Change::Remove(member) => {
            find(network, *member).ok_or(Reject::UnknownMember)?;
            if network.members.len() == 1 { Err(Reject::LastMember) } else { Ok(()) }
        }
        Change::Origins(origins) => distinct(origins),
    }
}

fn distinct(origins: &[Origin]) -> Result<(), Reject> {
    let repeated = |(index, origin)| origins[..index].contains(origin);
    if origins.iter().enumerate().any(repeated) { Err(Reject::BadTerms) } else { Ok(()) }
}

fn bring_into_force(network: &mut NetworkState, change: Change) {
    match change {
        Change::Admit(member) => {
            let place = network.members.partition_point(|other| other.id < member.id);
            network.members.insert(place, member);
        }
        Change::Remove(member) => forget(network, member),
        Change::Origins(origins) => network.origins = origins,
    }
}

/// Removes a member with its proposals, its votes and its part in a ceremony.
fn forget(network: &mut NetworkState, member: MemberId) {
    network.members.retain(|other| other.id != member);
    network.speakers.retain(|speaker| speaker.member != member);
    network.proposals.retain(|proposal| proposal.by != member);
    for proposal in &mut network.proposals {
        proposal.approvals.retain(|voter| *voter != member);
        proposal.refusals.retain(|voter| *voter != member);
    }
}

fn keys(member: &Member) -> [&Ed25519Key; 3] {
    [&member.command_key, &member.engine_key, &member.cosign_key]
}

const MEMBER_DOMAIN: &[u8] = b"carestone/member/v1\n";
