//! What this server does: the CapabilityStatement
//! ([FHIR R4](http://hl7.org/fhir/R4/http.html#capabilities)).

use fhir::{
    capability::{Capability, Interaction, Operation, SystemInteraction, TypeCapability},
    search::parameters,
    types::ResourceType,
};
use serde_json::Value;

/// What this server really does, as a `CapabilityStatement`; `security` says how a caller proves
/// who it is.
pub fn capability(base: &str, version: &str, security: Value) -> String {
    let names: Vec<(ResourceType, Vec<&str>)> = ResourceType::all()
        .map(|kind| (kind, parameters(Some(kind)).map(|one| one.name).collect()))
        .collect();
    let types = names.iter().map(|(resource_type, parameters)| TypeCapability {
        resource_type: *resource_type,
        interactions: &INTERACTIONS,
        parameters,
        operations: match resource_type.name() {
            "Patient" => &OF_PATIENT,
            "Group" => &OF_GROUP,
            _ => &OF_EVERY_TYPE,
        },
    });
    let capability = Capability {
        base_url: base,
        software: "Carestone",
        version,
        date: "2026-11-21",
        types: types.collect(),
        interactions: &SYSTEM_INTERACTIONS,
        operations: &[EXPORT, IMPORT],
        instantiates: &["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"],
        security,
    };
    capability.statement().to_string()
}

const INTERACTIONS: [Interaction; 9] = [
    Interaction::Read,
    Interaction::ReadVersion,
    Interaction::Update,
    Interaction::Create,
    Interaction::Search,
    Interaction::HistoryInstance,
    Interaction::HistoryType,
    Interaction::Delete,
    Interaction::Patch,
];

const SYSTEM_INTERACTIONS: [SystemInteraction; 3] =
    [SystemInteraction::Transaction, SystemInteraction::Batch, SystemInteraction::History];

const VALIDATE: Operation<'static> = Operation {
    name: "validate",
    definition: "http://hl7.org/fhir/OperationDefinition/Resource-validate",
};

const META: Operation<'static> =
    Operation { name: "meta", definition: "http://hl7.org/fhir/OperationDefinition/Resource-meta" };

const MATCH: Operation<'static> = Operation {
    name: "match",
    definition: "http://hl7.org/fhir/OperationDefinition/Patient-match",
};

const EVERYTHING: Operation<'static> = Operation {
    name: "everything",
    definition: "http://hl7.org/fhir/OperationDefinition/Patient-everything",
};

/// The International Patient Summary
/// ([operation](https://hl7.org/fhir/uv/ips/STU2/OperationDefinition-summary.html)).
const SUMMARY: Operation<'static> = Operation {
    name: "summary",
    definition: "http://hl7.org/fhir/uv/ips/OperationDefinition/summary",
};

/// Bulk Data 2.0 ([operations](https://hl7.org/fhir/uv/bulkdata/STU2/artifacts.html)).
const EXPORT: Operation<'static> = Operation {
    name: "export",
    definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export",
};

/// The import by manifest that the SMART project proposes
/// ([import](https://github.com/smart-on-fhir/bulk-import/blob/master/import-manifest.md)); it has
/// no definition of its own there, so this is the node's.
const IMPORT: Operation<'static> =
    Operation { name: "import", definition: "urn:carestone:operation:import" };

const EXPORT_OF_PATIENTS: Operation<'static> = Operation {
    name: "export",
    definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export",
};

const EXPORT_OF_GROUP: Operation<'static> = Operation {
    name: "export",
    definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export",
};

const OF_EVERY_TYPE: [Operation<'static>; 2] = [VALIDATE, META];
const OF_PATIENT: [Operation<'static>; 6] =
    [EVERYTHING, SUMMARY, MATCH, EXPORT_OF_PATIENTS, VALIDATE, META];
const OF_GROUP: [Operation<'static>; 3] = [EXPORT_OF_GROUP, VALIDATE, META];
