//! What a server says about itself (`CapabilityStatement`), from the list of what it really does.

use serde_json::{Value, json};

use crate::search::{Kind, parameter};
use crate::types::ResourceType;

/// What a server does. The lists come from the code that does it, so that the statement is true.
#[derive(Clone, Debug)]
pub struct Capability<'a> {
    /// The server's base URL.
    pub base_url: &'a str,
    /// The name of the software.
    pub software: &'a str,
    /// Its version.
    pub version: &'a str,
    /// When the statement was last changed, as a FHIR dateTime.
    pub date: &'a str,
    /// What is done for each type.
    pub types: Vec<TypeCapability<'a>>,
    /// What is done for the whole server.
    pub interactions: &'a [SystemInteraction],
    /// Operations on the whole server.
    pub operations: &'a [Operation<'a>],
    /// The statements of others that this server fulfils, by their canonical URLs.
    pub instantiates: &'a [&'a str],
    /// How a caller proves who it is (`CapabilityStatement.rest.security`).
    pub security: Value,
}

/// What is done for one type.
#[derive(Clone, Debug)]
pub struct TypeCapability<'a> {
    /// The type.
    pub resource_type: ResourceType,
    /// What is done with its resources.
    pub interactions: &'a [Interaction],
    /// The search parameters that are offered, by name; what the table does not know is left out.
    pub parameters: &'a [&'a str],
    /// Operations on the type or its resources.
    pub operations: &'a [Operation<'a>],
}

/// A named operation, as in `everything`.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// The name without `$`.
    pub name: &'a str,
    /// The canonical URL of its definition.
    pub definition: &'a str,
}

macro_rules! interactions {
    ($(#[$outer:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// The code of the standard.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }
        }
    };
}

interactions! {
    /// What is done with resources of a type (value set `type-restful-interaction`).
    Interaction {
        /// Read the newest version.
        Read = "read",
        /// Read one version.
        ReadVersion = "vread",
        /// Put a new version.
        Update = "update",
        /// Create.
        Create = "create",
        /// Search.
        Search = "search-type",
        /// The versions of one resource.
        HistoryInstance = "history-instance",
        /// The versions of all resources of a type.
        HistoryType = "history-type",
        /// Delete.
        Delete = "delete",
        /// Change in part.
        Patch = "patch",
    }
}

interactions! {
    /// What is done for the whole server (value set `system-restful-interaction`).
    SystemInteraction {
        /// Transactions.
        Transaction = "transaction",
        /// Batches.
        Batch = "batch",
        /// The versions of all resources.
        History = "history-system",
    }
}

impl Capability<'_> {
    /// The `CapabilityStatement`.
    pub fn statement(&self) -> Value {
        let interactions: Vec<Value> =
            self.interactions.iter().map(|one| json!({ "code": one.code() })).collect();
        let mut rest = json!({
            "mode": "server",
            "security": self.security,
            "resource": self.types.iter().map(type_json).collect::<Vec<_>>(),
        });
        put(&mut rest, "interaction", interactions);
        put(&mut rest, "operation", operations_json(self.operations));
        let mut statement = json!({
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": self.date,
            "kind": "instance",
            "software": { "name": self.software, "version": self.version },
            "implementation": { "description": self.software, "url": self.base_url },
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json", "json"],
            "patchFormat": PATCH_FORMATS,
            "rest": [rest],
        });
        let instantiates = self.instantiates.iter().map(|url| json!(url)).collect();
        put(&mut statement, "instantiates", instantiates);
        statement
    }
}

fn type_json(of_type: &TypeCapability<'_>) -> Value {
    let interactions: Vec<Value> =
        of_type.interactions.iter().map(|one| json!({ "code": one.code() })).collect();
    let resource_type = of_type.resource_type;
    let known = |name: &&str| parameter(Some(resource_type), name);
    let known: Vec<_> = of_type.parameters.iter().filter_map(known).collect();
    let references = known.iter().filter(|known| known.kind == Kind::Reference);
    let includes = references.map(|known| format!("{}:{}", resource_type.name(), known.name));
    let includes = std::iter::once("*".to_owned()).chain(includes).map(Value::from).collect();
    let parameters: Vec<Value> = known
        .iter()
        .map(|known| json!({ "name": known.name, "type": known.kind.code() }))
        .collect();
    let mut json = json!({
        "type": resource_type.name(),
        "versioning": "versioned-update",
        "readHistory": true,
        "updateCreate": true,
        "conditionalCreate": true,
        "conditionalRead": "full-support",
        "conditionalUpdate": true,
        "conditionalDelete": "single",
    });
    put(&mut json, "interaction", interactions);
    put(&mut json, "searchParam", parameters);
    put(&mut json, "searchInclude", includes);
    put(&mut json, "searchRevInclude", vec![json!("*")]);
    put(&mut json, "operation", operations_json(of_type.operations));
    json
}

fn operations_json(operations: &[Operation<'_>]) -> Vec<Value> {
    let operation = |one: &Operation<'_>| json!({ "name": one.name, "definition": one.definition });
    operations.iter().map(operation).collect()
}

/// Adds a list; FHIR knows no empty ones.
fn put(json: &mut Value, name: &str, items: Vec<Value>) {
    if !items.is_empty() {
        json[name] = Value::Array(items);
    }
}

/// How a change in part may be written: JSON Patch, the elements that change, FHIRPath Patch.
const PATCH_FORMATS: [&str; 3] =
    ["application/json-patch+json", "application/merge-patch+json", "application/fhir+json"];
