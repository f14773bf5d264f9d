//! Measuring.
use anyhow::Result;
use clap::Args;

use super::Print;

/// `carestone bench`
#[derive(Args)]
pub struct Bench {}

impl Bench {
    /// Measures.
    pub fn run(self, _print: Print) -> Result<()> {
        anyhow::bail!("not measured yet")
    }
}
