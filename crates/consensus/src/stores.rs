//! Where agreed blocks and their certificates are kept, all of them and for ever: whoever joins
//! later fetches them from here.
//!
//! The index lives on disk, so that memory does not grow with the chain.

use crate::{
    Fatal,
    block::EngineBlock,
    member::Member,
    wiring::{Runtime, Scheme, Tuning},
};
use commonware_consensus::simplex::types::Finalization;
use commonware_cryptography::{certificate::Verifier as _, sha256::Digest};
use commonware_storage::archive::immutable::{Archive, Config};
use commonware_utils::NZU64;
use std::sync::Arc;

/// Agreed blocks and the certificates that prove them.
pub(crate) struct Archives<E: Runtime> {
    pub(crate) finalizations: Archive<E, Digest, Finalization<Scheme, Digest>>,
    pub(crate) blocks: Archive<E, Digest, Arc<EngineBlock>>,
}

pub(crate) async fn open<E: Runtime>(
    context: &E,
    member: &Member,
    tuning: &Tuning,
) -> Result<Archives<E>, Fatal> {
    let name = |name| member.partition(name);
    let certificates = Scheme::certificate_codec_config_unbounded();
    let finalizations = Archive::init(
        context.child("finalizations"),
        config(&name("finalizations"), tuning, certificates),
    );
    let finalizations = finalizations.await.map_err(damaged)?;
    let blocks = Archive::init(
        context.child("archive"),
        config(&name("blocks"), tuning, member.settings.limits),
    );
    let blocks = blocks.await.map_err(damaged)?;
    Ok(Archives { finalizations, blocks })
}

fn config<C>(prefix: &str, tuning: &Tuning, codec_config: C) -> Config<C> {
    Config {
        metadata_partition: format!("{prefix}-metadata"),
        freezer_table_partition: format!("{prefix}-table"),
        freezer_table_initial_size: 4_096,
        freezer_table_resize_frequency: 4,
        freezer_table_resize_chunk_size: 4_096,
        freezer_key_partition: format!("{prefix}-keys"),
        freezer_key_page_cache: tuning.page_cache.clone(),
        freezer_value_partition: format!("{prefix}-values"),
        freezer_value_target_size: 64 * 1024 * 1024,
        freezer_value_compression: None,
        ordinal_partition: format!("{prefix}-heights"),
        items_per_section: NZU64!(65_536),
        freezer_key_write_buffer: tuning.write_buffer,
        freezer_value_write_buffer: tuning.write_buffer,
        ordinal_write_buffer: tuning.write_buffer,
        replay_buffer: tuning.replay_buffer,
        codec_config,
    }
}

fn damaged(error: commonware_storage::archive::Error) -> Fatal {
    Fatal(format!("the store of blocks cannot be opened: {error}; restore the engine's folder"))
}
