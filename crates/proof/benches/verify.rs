//! Size and verification time of proof files in a log of 2^20 leaves with three cosignatures, as
//! one JSON object on stdout. Times are the fastest of 50 rounds of 20, in microseconds: the
//! shortest is the least disturbed one on a machine that others use too.
//!
//! `cargo bench -p proof --bench verify`

use std::{hint::black_box, time::Instant};

use fixture::{Log, policy, record};
use proof::{opening::Opening, policy::Policy, proof_file::ProofFile, verify, verify::verify_with};

#[path = "../tests/it/fixture.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod fixture;

fn main() {
    let after = LEAVES / 2 - 1;
    let file = |opening| Log::file_around(opening, LEAVES / 2, after);
    let batched = file(Opening::Record(record(100, 256)));
    let alone = file(Opening::Record(record(0, 1)));
    let receipt = file(Opening::Entry(vec![0; RECEIPT_BYTES]));
    assert_eq!(batched.note.checkpoint.size, LEAVES);

    let policy = policy();
    let policy_text = policy.to_string();
    let text = batched.to_text();
    let key = proof::cosignature::CosignerKey::new(
        fixture::ORIGIN,
        &proof::cosignature::public_key(&fixture::seed(0)),
    )
    .unwrap();
    let (checkpoint, line) = (&batched.note.checkpoint, &batched.note.signatures[0]);
    println!(
        "{{\"leaves\":{LEAVES},\"cosignatures\":3,\
         \"record_of_256_bytes\":{},\"record_alone_bytes\":{},\"receipt_bytes\":{},\
         \"verify_us\":{:.1},\"verify_with_parsed_policy_us\":{:.1},\
         \"one_cosignature_us\":{:.1},\"read_and_hash_us\":{:.1},\"policy_us\":{:.1}}}",
        text.len(),
        alone.to_text().len(),
        receipt.to_text().len(),
        fastest_us(|| verify(&text, &policy_text).is_ok()),
        fastest_us(|| verify_with(&text, &policy).is_ok()),
        fastest_us(|| key.verify(checkpoint, line).is_ok()),
        fastest_us(|| reads_and_leads_to_root(&text)),
        fastest_us(|| Policy::parse(&policy_text).is_ok()),
    );
}

/// Everything but the cosignatures.
fn reads_and_leads_to_root(text: &str) -> bool {
    let file = ProofFile::parse(text).unwrap();
    let leaf = file.opening.leaf().unwrap();
    let checkpoint = &file.note.checkpoint;
    proof::tree::verify_inclusion(&leaf, file.index, checkpoint.size, &file.path, &checkpoint.root)
        .is_ok()
}

fn fastest_us(mut run: impl FnMut() -> bool) -> f64 {
    let mut fastest = f64::INFINITY;
    for _ in 0..50 {
        let start = Instant::now();
        for _ in 0..20 {
            assert!(black_box(run()));
        }
        fastest = fastest.min(start.elapsed().as_secs_f64() * 1e6 / 20.0);
    }
    fastest
}

const LEAVES: u64 = 1 << 20;

/// A usual receipt: one reader, no list of custodians.
const RECEIPT_BYTES: usize = 240;
