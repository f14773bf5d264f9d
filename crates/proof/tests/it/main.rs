//! Tests of the verifier from outside, with foreign implementations as oracles.

mod fixture;

mod checkpoint;
mod noise;
mod policy;
mod proof_file;
mod state;
mod tamper;
mod tree;
mod vectors;
