//! The same blocks give the same roots: each honest member's blocks, replayed on a fresh chain.

use crate::{Cast, watch::Notes};

pub fn check(cast: &Cast, notes: &Notes) -> Result<(), String> {
    for place in cast.honest() {
        let chain = chain::Chain::open(None, &cast.genesis).map_err(|error| error.to_string())?;
        let roots = notes.roots.get(&place);
        for (height, block) in notes.blocks.get(&place).into_iter().flatten() {
            let applied = chain.apply(block).map_err(|error| error.to_string())?;
            if roots.and_then(|roots| roots.get(height)) != Some(&applied.tip.root) {
                return Err(format!("member {place} had another root after block {height}"));
            }
        }
    }
    Ok(())
}
