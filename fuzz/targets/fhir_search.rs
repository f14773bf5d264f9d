#![no_main]
//! A search as it stands in an address: the type, a question mark, the parameters.

use fhir::{search::Query, types::ResourceType};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|address: &str| {
    let Some((kind, query)) = address.split_once('?') else { return };
    let pairs = flows::words::query_pairs(query);
    let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let _query = Query::parse(ResourceType::parse(kind), pairs);
});
