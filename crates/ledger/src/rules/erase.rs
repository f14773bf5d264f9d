//! Erasure: a custodian takes back what it wrote about a patient.
//!
//! The ledger cannot tell whose records the numbers name: it knows only commitments. So a custodian
//! speaks for its own records alone, and a holder deletes only what it keeps under this patient.

use super::Ruled;
use crate::{
    Account, AnchorHead, BlockTime, ErasedChunk, Erasure, ErasureReason, ErasureState, Event, Key,
    MemberId, PatientId, Reject, Run, Working, limits::ERASED_CHUNK_RECORDS,
};

/// A custodian of the patient erases records that are anchored, each once.
pub(super) fn erase(
    state: &mut Working,
    custodian: MemberId,
    patient: PatientId,
    runs: &[Run],
    reason: ErasureReason,
    time: BlockTime,
) -> Ruled {
    let account = state.find::<Account>(Key::Account(patient))?.ok_or(Reject::UnknownPatient)?;
    if account.custodians.binary_search(&custodian).is_err() {
        return Err(Reject::NotAllowed.into());
    }
    let anchors: &AnchorHead = state.read(Key::Anchor(custodian))?;
    let anchored = |run: &Run| run.end().is_some_and(|end| end <= anchors.next);
    if !runs.iter().all(anchored) {
        return Err(Reject::NotAnchored.into());
    }
    for (chunk, first, last) in runs.iter().flat_map(parts) {
        let erased: &mut ErasedChunk = state.edit(Key::Erased { custodian, chunk })?;
        if !erased.add(first, last) {
            return Err(Reject::Erased.into());
        }
    }
    let list: &ErasureState = state.read(Key::Erasures(patient))?;
    let (number, runs) = (list.count + 1, runs.to_vec());
    Ok(Event::Erased(Erasure { number, patient, custodian, runs, reason, time }))
}

/// The chunks that well-formed runs lie in, rising, each once.
pub(crate) fn chunks(runs: &[Run]) -> impl Iterator<Item = u64> {
    let mut next = 0;
    let chunks = runs.iter().flat_map(|run| {
        let last = run.first.saturating_add(u64::from(run.count).saturating_sub(1));
        run.first / ERASED_CHUNK_RECORDS..=last / ERASED_CHUNK_RECORDS
    });
    chunks.filter(move |chunk| {
        let is_new = *chunk >= next;
        next = next.max(chunk.saturating_add(1));
        is_new
    })
}

/// A run's part in each chunk: the chunk, and first and last record from its beginning.
fn parts(run: &Run) -> impl Iterator<Item = (u64, u16, u16)> {
    let (run, last) = (*run, run.first + u64::from(run.count) - 1);
    chunks(&[run]).collect::<alloc::vec::Vec<_>>().into_iter().map(move |chunk| {
        let begin = chunk * ERASED_CHUNK_RECORDS;
        let end = begin + (ERASED_CHUNK_RECORDS - 1);
        (chunk, (run.first.max(begin) - begin) as u16, (last.min(end) - begin) as u16)
    })
}

#[cfg(test)]
mod tests {
    use alloc::{collections::BTreeSet, vec::Vec};

    use super::*;

    #[test]
    fn a_run_is_cut_at_the_chunks() {
        let cut = |first, count| parts(&Run { first, count }).collect::<Vec<_>>();
        assert_eq!(cut(0, 1), [(0, 0, 0)]);
        assert_eq!(cut(65_535, 2), [(0, 65_535, 65_535), (1, 0, 0)]);
        assert_eq!(cut(65_536, 65_536), [(1, 0, 65_535)]);
        assert_eq!(cut(1, 131_072), [(0, 1, 65_535), (1, 0, 65_535), (2, 0, 0)]);
    }

    #[test]
    fn chunks_are_named_once() {
        let run = |first, count| Run { first, count };
        let runs = [run(0, 2), run(5, 1), run(65_530, 70_000), run(200_000, 1), run(200_002, 1)];
        assert_eq!(chunks(&runs).collect::<Vec<_>>(), [0, 1, 2, 3]);
    }

    /// Against a plain set, over many orders of a few runs that touch, meet and overlap.
    #[test]
    fn a_chunk_remembers_as_a_set_does() {
        let runs = [(0, 0), (1, 3), (4, 4), (3, 5), (7, 7), (6, 8), (9, 11), (65_534, 65_535)];
        for mut seed in 0..5_000_usize {
            let (mut chunk, mut set) = (ErasedChunk::default(), BTreeSet::new());
            let mut order = runs;
            for place in (1..order.len()).rev() {
                order.swap(place, seed % (place + 1));
                seed /= place + 1;
            }
            for (first, last) in order {
                let is_free = set.range(first..=last).next().is_none();
                assert_eq!(chunk.add(first, last), is_free);
                set.extend((first..=last).filter(|_| is_free));
            }
            for offset in (0..14).chain(65_530..=65_535) {
                assert_eq!(chunk.contains(offset), set.contains(&offset));
            }
        }
    }
}
