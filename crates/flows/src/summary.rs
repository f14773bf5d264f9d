//! The patient summary (IPS) of what an access opens.

use fhir::{
    search::Home,
    summary::{Author, Part, Summary},
};

use crate::{Member, OpenedRecord, Session, time::instant, words};

impl Member {
    /// The International Patient Summary of the patient, who was asked for under this logical id,
    /// as a document Bundle. Records of this member come before those of others; what the house
    /// holds explains what they name.
    pub fn summary(
        &self,
        session: &Session,
        house: Option<&Session>,
        base_url: &str,
        patient: &str,
    ) -> Vec<u8> {
        let mut records: Vec<&OpenedRecord> = session.latest().collect();
        let order = |record: &&OpenedRecord| {
            let (metadata, is_other) = (&record.metadata, record.custodian != self.id);
            (is_other, record.custodian, metadata.kind.clone(), metadata.id.clone())
        };
        records.sort_by_cached_key(order);
        let home = |record: &OpenedRecord| session.home(base_url, record);
        let beside = house.into_iter().flat_map(Session::latest);
        let beside = beside.map(|record| part(record, home(record), true));
        let parts = records.into_iter().map(|record| part(record, home(record), false));
        let parts: Vec<Part<'_>> = parts.chain(beside).collect();
        let network = self.chain.network();
        let own = network.members.iter().find(|member| member.id == self.id);
        let identifier = self.id.to_string();
        let summary = Summary {
            base_url,
            made: &instant(self.world.clock.now_ms()),
            name: self.world.draw(),
            author: Author {
                name: own.map_or("a former member", |member| &member.name),
                system: words::MEMBER,
                identifier: &identifier,
            },
            patient,
            missing: session.missing.len(),
        };
        summary.document(&parts)
    }
}

fn part<'a>(record: &'a OpenedRecord, home: Home<'a>, is_beside: bool) -> Part<'a> {
    Part { resource: &record.resolved, id: &record.metadata.id, home, is_beside }
}
