//! A compiled expression, and the nodes it selects.

use serde_json::Value;

use crate::links::Links;
use crate::reference;

/// A compiled expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// The nodes of any of the paths.
    Select(Vec<Path>),
    /// `true` if one set has nodes and one of the other is not the literal, else `false`.
    ExistsAndDiffers {
        /// What must exist.
        exists: Vec<Path>,
        /// What is compared.
        compared: Vec<Path>,
        /// With what.
        literal: String,
    },
}

/// The steps from a node to others.
pub type Path = Vec<Step>;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Stays if the node is a resource of this type.
    Root(String),
    /// Goes back to the resource (`%resource`).
    Resource,
    /// Goes to a member.
    Member(String),
    /// Goes to a member that may carry its type in its name: `value` to `valueQuantity`.
    Choice(String),
    /// Takes one item of an array.
    Index(usize),
    /// Stays if a member has this value.
    WhereEquals {
        /// The member.
        member: String,
        /// Its value.
        value: String,
    },
    /// Stays if the node is a reference to this type.
    WhereType(String),
    /// Stays if the node has an extension of this URL.
    WhereExtension(String),
    /// Goes to the extensions of this URL.
    Extension(String),
}

impl Step {
    pub(super) fn member(name: &str) -> Self {
        match CHOICES.binary_search(&name) {
            Ok(_) => Self::Choice(name.to_owned()),
            Err(_) => Self::Member(name.to_owned()),
        }
    }
}

impl Program {
    /// The nodes of a resource that the expression selects, in document order for each path.
    pub fn select<'v>(&self, resource: &'v Value) -> Vec<&'v Value> {
        self.select_linked(resource, &Links::none())
    }

    /// As [`Program::select`], where `urn:uuid:` references are known to stand for other resources.
    pub fn select_linked<'v>(&self, resource: &'v Value, links: &Links) -> Vec<&'v Value> {
        self.select_from(resource, resource, links)
    }

    /// The nodes selected from one node of a resource, as the parts of a composite need them.
    pub fn select_from<'v>(
        &self,
        resource: &'v Value,
        node: &'v Value,
        links: &Links,
    ) -> Vec<&'v Value> {
        match self {
            Self::Select(paths) => nodes(paths, resource, node, links),
            Self::ExistsAndDiffers { exists, compared, literal } => {
                let differs = |node: &&Value| scalar_text(node).as_deref() != Some(literal);
                let holds = !nodes(exists, resource, node, links).is_empty()
                    && nodes(compared, resource, node, links).iter().any(differs);
                vec![if holds { &Value::Bool(true) } else { &Value::Bool(false) }]
            }
        }
    }
}

fn nodes<'v>(
    paths: &[Path],
    resource: &'v Value,
    node: &'v Value,
    links: &Links,
) -> Vec<&'v Value> {
    let mut walk = Walk { resource, links, found: Vec::new() };
    for path in paths {
        walk.steps(path, node);
    }
    walk.found
}

/// A number, boolean or string as text.
pub(super) fn scalar_text(node: &Value) -> Option<String> {
    match node {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(node.to_string()),
        _ => None,
    }
}

struct Walk<'v, 'l> {
    resource: &'v Value,
    links: &'l Links,
    found: Vec<&'v Value>,
}

impl<'v> Walk<'v, '_> {
    fn steps(&mut self, steps: &[Step], node: &'v Value) {
        match (node, steps) {
            (Value::Null, _) => {}
            (Value::Array(items), [Step::Index(index), rest @ ..]) => {
                if let Some(item) = items.get(*index) {
                    self.steps(rest, item);
                }
            }
            (Value::Array(items), _) => items.iter().for_each(|item| self.steps(steps, item)),
            (_, []) => self.found.push(node),
            (_, [step, rest @ ..]) => self.step(step, rest, node),
        }
    }

    fn step(&mut self, step: &Step, rest: &[Step], node: &'v Value) {
        match step {
            Step::Resource => self.steps(rest, self.resource),
            Step::Member(name) => {
                if let Some(member) = node.get(name) {
                    self.steps(rest, member);
                }
            }
            Step::Choice(name) => self.choice(name, rest, node),
            Step::Extension(url) => {
                let extensions = node["extension"].as_array();
                let of_url = |extension: &&Value| extension["url"] == url.as_str();
                for extension in extensions.into_iter().flatten().filter(of_url) {
                    self.steps(rest, extension_value(extension));
                }
            }
            _ if self.stays(step, node) => self.steps(rest, node),
            _ => {}
        }
    }

    fn choice(&mut self, name: &str, rest: &[Step], node: &'v Value) {
        let Some(object) = node.as_object() else { return };
        if let Some(member) = object.get(name) {
            return self.steps(rest, member);
        }
        for (_, member) in object.iter().filter(|(key, _)| is_choice_of(key, name)) {
            self.steps(rest, member);
        }
    }

    fn stays(&self, step: &Step, node: &Value) -> bool {
        match step {
            Step::Root(name) => {
                matches!(name.as_str(), "Resource" | "DomainResource")
                    || node["resourceType"] == name.as_str()
            }
            // Outside an array a node is its own first item.
            Step::Index(index) => *index == 0,
            Step::WhereEquals { member, value } => node[member] == value.as_str(),
            Step::WhereType(name) => self.names_type(node, name),
            Step::WhereExtension(url) => {
                let extensions = node["extension"].as_array();
                extensions.is_some_and(|all| all.iter().any(|one| one["url"] == url.as_str()))
            }
            Step::Resource | Step::Member(_) | Step::Choice(_) | Step::Extension(_) => false,
        }
    }

    /// `resolve() is T`, by the text of the reference: a record's reader must not need to fetch
    /// another record to know whom this one is about.
    fn names_type(&self, node: &Value, name: &str) -> bool {
        if node["type"] == name {
            return true;
        }
        let Some(text) = node["reference"].as_str().or(node.as_str()) else { return false };
        if let Some(target) = self.links.target(text) {
            return target.resource_type.name() == name;
        }
        match text.strip_prefix('#') {
            Some(id) => contained(self.resource, id).is_some_and(|one| one["resourceType"] == name),
            None => reference::type_name(text) == Some(name),
        }
    }
}

/// Whether a member is the element: `valueQuantity` is `value`, and `statusHistory` not `status`.
pub(crate) fn is_choice_of(member: &str, element: &str) -> bool {
    member.strip_prefix(element).is_some_and(|kind| {
        kind.is_empty() || (is_choice(element) && CHOICE_TYPES.binary_search(&kind).is_ok())
    })
}

/// Whether elements of this name are choices of a type, in some resources at least.
pub(crate) fn is_choice(element: &str) -> bool {
    CHOICES.binary_search(&element).is_ok()
}

/// The contained resource of this id.
pub(crate) fn contained<'v>(resource: &'v Value, id: &str) -> Option<&'v Value> {
    resource["contained"].as_array()?.iter().find(|one| one["id"] == id)
}

/// The value of an extension, or the extension itself if it is made of others.
fn extension_value(extension: &Value) -> &Value {
    let members = extension.as_object().into_iter().flatten();
    let mut values = members.filter(|(name, _)| name.starts_with("value"));
    values.next().map_or(extension, |(_, value)| value)
}

/// Elements of R4 that have a choice of types, sorted.
const CHOICES: [&str; 74] = [
    "abatement",
    "additive",
    "age",
    "allowed",
    "amount",
    "answer",
    "asNeeded",
    "author",
    "born",
    "bounds",
    "characteristic",
    "chargeItem",
    "code",
    "collected",
    "content",
    "created",
    "date",
    "deceased",
    "defaultValue",
    "definingSubstance",
    "definition",
    "detail",
    "diagnosis",
    "dose",
    "doseNumber",
    "due",
    "effective",
    "entity",
    "event",
    "example",
    "fastingStatus",
    "fixed",
    "identified",
    "indication",
    "item",
    "legallyBinding",
    "location",
    "manufacturer",
    "maxValue",
    "medication",
    "minValue",
    "minimumVolume",
    "module",
    "multipleBirth",
    "name",
    "occurred",
    "occurrence",
    "offset",
    "onset",
    "participantEffective",
    "pattern",
    "performed",
    "probability",
    "procedure",
    "product",
    "quantity",
    "rate",
    "reported",
    "scheduled",
    "seriesDoses",
    "serviced",
    "source",
    "start",
    "statusReason",
    "studyEffective",
    "subject",
    "substance",
    "target",
    "time",
    "timing",
    "topic",
    "used",
    "value",
    "when",
];

/// Types as they stand in the names of choices, sorted.
const CHOICE_TYPES: [&str; 50] = [
    "Address",
    "Age",
    "Annotation",
    "Attachment",
    "Base64Binary",
    "Boolean",
    "Canonical",
    "Code",
    "CodeableConcept",
    "Coding",
    "ContactDetail",
    "ContactPoint",
    "Contributor",
    "Count",
    "DataRequirement",
    "Date",
    "DateTime",
    "Decimal",
    "Distance",
    "Dosage",
    "Duration",
    "Expression",
    "HumanName",
    "Id",
    "Identifier",
    "Instant",
    "Integer",
    "Markdown",
    "Meta",
    "Money",
    "Oid",
    "ParameterDefinition",
    "Period",
    "PositiveInt",
    "Quantity",
    "Range",
    "Ratio",
    "Reference",
    "RelatedArtifact",
    "SampledData",
    "Signature",
    "String",
    "Time",
    "Timing",
    "TriggerDefinition",
    "UnsignedInt",
    "Uri",
    "Url",
    "UsageContext",
    "Uuid",
];
