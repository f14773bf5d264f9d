//! Who asks, and what they may ask for: a bearer token in every request but those for health, the
//! public log and signing in.
//!
//! A token is of this node's own issue (`carestone token`), or an app's access token (`smart`).
//! Either way it never decides alone: what an app may do is what its scope, the role of its user,
//! the purpose, and on the ledger the patient's consent all allow.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
};
use flows::{
    Conditions, Delivery, FlowError, OpenedRecord, Session, Write,
    token::Bearer,
    words::{CategorySet, PatientId, Purpose, ResourceType},
};

use crate::{
    App,
    error::Problem,
    smart::{AppCaller, Context, Interaction, ResourceScope, is_access_token},
};

/// Who sent the request.
#[derive(Clone, Debug)]
pub enum Caller {
    /// The bearer of a token that this node's operator issued.
    Own(Bearer),
    /// An app, for a member of staff or for itself.
    App(Arc<AppCaller>),
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let header = parts.headers.get(header::AUTHORIZATION);
        let token = header.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let Some(token) = token else {
            let detail = "send a token of this node: `Authorization: Bearer ...`";
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "login", detail));
        };
        if is_access_token(token) {
            return app.smart.caller(token).map(|caller| Caller::App(Arc::new(caller)));
        }
        match app.member.check_token(token) {
            Ok(bearer) => Ok(Caller::Own(bearer)),
            Err(error) => Err(Problem::new(StatusCode::UNAUTHORIZED, "login", error.to_string())),
        }
    }
}

// ---- what may be asked for
// -----------------------------------------------------------------------

impl Caller {
    /// Under which name the reader stands in receipts: a member of staff, with the app if there is
    /// one.
    pub fn staff(&self) -> Result<&str, Problem> {
        match self {
            Caller::Own(Bearer::Staff(name)) => Ok(name),
            Caller::Own(_) => Err(forbidden("only staff may read records; use a token for staff")),
            Caller::App(app) if app.reads() => Ok(&app.reader),
            Caller::App(_) => Err(scope_missing("reads records")),
        }
    }

    /// Under which name whoever reads records stands in receipts: staff, or the patient themself.
    pub fn reader(&self) -> Result<Cow<'_, str>, Problem> {
        match self {
            Caller::Own(Bearer::Patient(own)) => Ok(Cow::Owned(format!("the patient {own}"))),
            _ => self.staff().map(Cow::Borrowed),
        }
    }

    /// Whether it is a patient, who reads what is kept under their own account and nothing else.
    pub fn is_patient(&self) -> bool {
        matches!(self, Caller::Own(Bearer::Patient(_)))
    }

    /// Who delivers, as reports and policies of quality name it.
    pub fn source(&self) -> String {
        match self {
            Caller::Own(Bearer::System(name)) => format!("system:{name}"),
            Caller::Own(Bearer::Staff(_) | Bearer::Patient(_)) => "staff".to_owned(),
            Caller::Own(Bearer::Operator) => "operator".to_owned(),
            Caller::App(app) => format!("app:{}", app.client),
        }
    }

    /// Reads of one resource of this type.
    pub fn may_read(&self, kind: &str) -> Result<(), Problem> {
        self.may(Interaction::Read, kind)
    }

    /// Searches, and whatever lists resources of this type.
    pub fn may_search(&self, kind: &str) -> Result<(), Problem> {
        self.may(Interaction::Search, kind)
    }

    /// New resources of this type.
    pub fn may_create(&self, kind: &str) -> Result<(), Problem> {
        self.may(Interaction::Create, kind)
    }

    /// New versions of a resource of this type.
    pub fn may_update(&self, kind: &str) -> Result<(), Problem> {
        self.may(Interaction::Update, kind)
    }

    /// The end of a resource of this type.
    pub fn may_delete(&self, kind: &str) -> Result<(), Problem> {
        self.may(Interaction::Delete, kind)
    }

    /// One thing with resources of one type.
    pub fn may(&self, interaction: Interaction, kind: &str) -> Result<(), Problem> {
        let reads = interaction.reads();
        match self {
            Caller::Own(_) if reads => self.reader().map(drop),
            Caller::Own(_) => self.may_deliver(),
            Caller::App(app) if !reads && !app.rights.may_deliver => {
                Err(forbidden("the role does not deliver records"))
            }
            Caller::App(app) if app.allows(interaction, kind) => Ok(()),
            Caller::App(_) => Err(scope_missing(&format!("covers this for {kind}"))),
        }
    }

    /// A system that delivers records, or the operator. What it delivers is asked per resource.
    pub fn may_deliver(&self) -> Result<(), Problem> {
        match self {
            Caller::Own(Bearer::System(_) | Bearer::Operator) => Ok(()),
            Caller::App(app) if app.rights.may_deliver && app.writes() => Ok(()),
            _ => Err(forbidden("only a system may deliver records; use a token for a system")),
        }
    }

    /// Who looks for a patient, and at what was said of who is who: a member of staff whose role
    /// registers.
    pub fn may_look_for_patients(&self) -> Result<(), Problem> {
        self.registrar(Interaction::Search, "`user/Patient.rs`").map(drop)
    }

    /// Who proposes and decides who a patient is. Gives their name without the app, since it counts
    /// who it was.
    pub fn may_register(&self) -> Result<&str, Problem> {
        self.registrar(Interaction::Update, "`user/Patient.rus`")
    }

    fn registrar(&self, interaction: Interaction, such_as: &str) -> Result<&str, Problem> {
        match self {
            Caller::Own(Bearer::Staff(name)) => Ok(name),
            Caller::App(app) if app.rights.may_register => {
                let is_users = |scope: &&ResourceScope| scope.context == Context::User;
                let mut scopes = app.scopes.resources.iter().filter(is_users);
                let is_granted = scopes.any(|scope| scope.allows("Patient", interaction));
                let person = app.person().filter(|_| is_granted);
                person.ok_or_else(|| scope_missing(&format!("is a user's, as in {such_as}")))
            }
            Caller::App(_) => Err(forbidden("the role does not register patients")),
            Caller::Own(_) => {
                Err(forbidden("only staff may say who a patient is; use a token for staff"))
            }
        }
    }

    /// Who erases records: a records officer, by a token of the node and its configuration, or an
    /// app's user whose role erases, with a scope that deletes. Gives their name without the app,
    /// since it counts who it was.
    pub fn may_erase(&self, app: &App, kind: &str) -> Result<&str, Problem> {
        match self {
            Caller::Own(Bearer::Staff(name)) if app.erasure_officers.contains(name) => Ok(name),
            Caller::App(caller) if caller.rights.may_erase => {
                let deletes = caller.allows(Interaction::Delete, kind);
                let person = caller.person().filter(|_| deletes);
                person.ok_or_else(|| scope_missing("is a user's and deletes, as in `user/*.d`"))
            }
            _ => Err(forbidden(
                "only a records officer erases: a name in `erasure_officers` of the configuration, \
                 or a role with `may_erase = true`",
            )),
        }
    }

    /// Whether the caller may be told how a resource would differ from what is on file. A delivery
    /// tells so, too, but is counted and seen; a question leaves no trace.
    pub fn may_compare(&self, kind: &str) -> bool {
        let sees = match self {
            Caller::Own(_) => true,
            Caller::App(app) => {
                [kind, "Patient"].iter().all(|kind| app.allows(Interaction::Read, kind))
            }
        };
        sees && self.may_update(kind).is_ok()
    }

    /// Who may know of erasures, of whatever type.
    pub fn is_records_officer(&self, app: &App) -> bool {
        match self {
            Caller::Own(Bearer::Staff(name)) => app.erasure_officers.contains(name),
            Caller::App(caller) => {
                let erases =
                    |scope: &ResourceScope| scope.interactions.contains(Interaction::Delete);
                let is_officer = caller.rights.may_erase && caller.person().is_some();
                is_officer && caller.scopes.resources.iter().any(erases)
            }
            Caller::Own(_) => false,
        }
    }

    /// A change in part, of what was read: also by staff, who correct what they see.
    pub fn may_patch(&self, kind: &str) -> Result<(), Problem> {
        match self {
            Caller::Own(_) => self.staff().map(drop),
            Caller::App(_) => self.may_read(kind).and_then(|()| self.may_update(kind)),
        }
    }

    /// A service that exports: an app of its own, with a scope that reads and lists without a user
    /// or a patient in context. Gives its name in receipts.
    pub fn may_export(&self) -> Result<&str, Problem> {
        match self {
            Caller::App(app) if app.export_scopes().next().is_some() => Ok(&app.reader),
            Caller::App(_) => Err(scope_missing("exports, such as `system/*.rs`")),
            Caller::Own(_) => {
                Err(forbidden("only a service exports; use an access token of a backend client"))
            }
        }
    }

    /// Which types an export may have.
    pub fn may_export_type(&self, kind: &str) -> Result<(), Problem> {
        match self {
            Caller::App(app) if app.export_scopes().any(|scope| scope.is_about(kind)) => Ok(()),
            _ => Err(scope_missing(&format!("exports {kind}, such as `system/{kind}.rs`"))),
        }
    }

    /// Which records an export may have, as of now: those within scope and role.
    pub fn exported(&self) -> Result<flows::export::Fits, Problem> {
        let Caller::App(caller) = self else { return Ok(Arc::new(|_| false)) };
        let keyholes = caller.export_scopes().map(Keyhole::new);
        let keyholes = keyholes.collect::<Result<Vec<_>, _>>()?;
        let categories = caller.rights.categories;
        Ok(Arc::new(move |record| {
            categories.contains(record.category)
                && keyholes.iter().any(|keyhole| keyhole.shows(record))
        }))
    }

    /// A system or the operator, or a service whose role delivers, with a scope that creates and
    /// updates without a user or a patient in context. Gives the types that it may import; none:
    /// all.
    pub fn may_import(&self) -> Result<Option<BTreeSet<String>>, Problem> {
        self.may_deliver()?;
        let Caller::App(app) = self else { return Ok(None) };
        let allows = |kind: &str, interaction| {
            let mut scopes = app.scopes.resources.iter();
            scopes.any(|scope| scope.context == Context::System && scope.allows(kind, interaction))
        };
        let both =
            |kind: &&str| allows(kind, Interaction::Create) && allows(kind, Interaction::Update);
        let kinds = ResourceType::all().map(ResourceType::name).filter(both);
        let kinds: BTreeSet<String> = kinds.map(str::to_owned).collect();
        match kinds.is_empty() {
            true => Err(scope_missing("imports, such as `system/*.cu`")),
            false => Ok(Some(kinds)),
        }
    }

    /// What a Bundle delivers, entry by entry. Entries that read are asked when they are answered.
    pub fn may_write(&self, delivery: &Delivery) -> Result<(), Problem> {
        delivery.writes().try_for_each(|(kind, write)| match write {
            Write::Create => self.may_create(kind),
            Write::Put => self.may_create(kind).and_then(|()| self.may_update(kind)),
            Write::Delete => self.may_delete(kind),
        })
    }

    /// The patient themself, or the operator of the node that keeps the list.
    pub fn may_see_list_of(&self, patient: PatientId) -> Result<(), Problem> {
        match self {
            Caller::Own(Bearer::Patient(own)) if *own == patient => Ok(()),
            Caller::Own(Bearer::Operator) => Ok(()),
            _ => Err(forbidden("only the patient may see this list; use the patient's token")),
        }
    }

    /// What has no scope: accounts and their keys, signed commands, entries of the log, launches.
    /// Tokens of the node's own issue.
    pub fn own_bearer(&self) -> Result<&Bearer, Problem> {
        match self {
            Caller::Own(bearer) => Ok(bearer),
            Caller::App(_) => Err(scope_missing("covers this; use a token of this node")),
        }
    }

    /// A system or the operator, by a token of the node's own issue.
    pub fn require_system(&self) -> Result<(), Problem> {
        match self.own_bearer()? {
            Bearer::System(_) | Bearer::Operator => Ok(()),
            _ => Err(forbidden("only a system may do this; use a token for a system")),
        }
    }

    /// The operator, by a token of the node's own issue.
    pub fn require_operator(&self) -> Result<(), Problem> {
        match self.own_bearer()? {
            Bearer::Operator => Ok(()),
            _ => Err(forbidden("only the operator may do this; use a token for the operator")),
        }
    }

    /// Breaking the glass: a role that may, and a sign-on that is recent and strong enough.
    pub fn may_break_glass(&self, app: &App) -> Result<(), Problem> {
        match self {
            Caller::Own(_) => Ok(()),
            Caller::App(caller) if !caller.rights.may_break_glass => {
                Err(forbidden("the role does not break the glass"))
            }
            Caller::App(caller) => app.smart.check_step_up(caller),
        }
    }
}

// ---- whose records, why, which
// -------------------------------------------------------------------

impl Caller {
    /// The patient that a request is about: the one it names, else the one in the app's context.
    ///
    /// # Errors
    /// If the app is bound to another one: it is told what it would be told of a patient who is not
    /// there.
    pub fn patient(
        &self,
        app: &App,
        named: Option<PatientId>,
    ) -> Result<Option<PatientId>, Problem> {
        let caller = match self {
            Caller::App(caller) => caller,
            Caller::Own(Bearer::Patient(own)) if named.is_none_or(|named| named == *own) => {
                return Ok(Some(*own));
            }
            Caller::Own(Bearer::Patient(_)) => return Err(FlowError::NotFound("patient").into()),
            Caller::Own(_) => return Ok(named),
        };
        let Some(named) = named else { return Ok(caller.patient) };
        if caller.scopes_for(app, named).next().is_some() {
            return Ok(Some(named));
        }
        Err(FlowError::NotFound("patient").into())
    }

    /// This patient, if the app is not bound to another one.
    pub fn bound_to(&self, app: &App, patient: PatientId) -> Result<PatientId, Problem> {
        self.patient(app, Some(patient)).map(|_| patient)
    }

    /// Why the request reads: what it says, else what was confirmed for the app.
    ///
    /// # Errors
    /// If nothing is said, or the role does not read for this purpose.
    pub fn purpose(&self, said: Option<Purpose>) -> Result<Purpose, Problem> {
        match (self, said) {
            (Caller::Own(Bearer::Patient(_)), None | Some(Purpose::PatientRequest)) => {
                Ok(Purpose::PatientRequest)
            }
            (Caller::Own(Bearer::Patient(_)), Some(_)) => {
                Err(forbidden("a patient reads for `PATRQT`: at their own request"))
            }
            (Caller::Own(_), Some(said)) => Ok(said),
            (Caller::Own(_), None) => Err(Problem::bad_request(
                "say why you read: `X-Purpose-Of-Use: TREAT`, or name an access",
            )),
            (Caller::App(caller), said) => {
                let purpose = said.unwrap_or(caller.purpose);
                match caller.rights.purposes.contains(&purpose) {
                    true => Ok(purpose),
                    false => Err(forbidden("the role does not read for this purpose")),
                }
            }
        }
    }

    /// Of these categories those that the role covers.
    pub fn categories(&self, asked: CategorySet) -> Result<CategorySet, Problem> {
        let Caller::App(caller) = self else { return Ok(asked) };
        let both = asked.and(caller.rights.categories);
        match both.is_empty() {
            true => Err(forbidden("the role covers none of these categories")),
            false => Ok(both),
        }
    }

    /// An access as this caller may see it: all of it, or through the keyhole of an app's scope and
    /// role. What is outside is not there, for no search, include, total or page.
    pub fn view(
        &self,
        app: &App,
        session: Arc<Session>,
        interaction: Interaction,
    ) -> Result<Arc<Session>, Problem> {
        let Caller::App(caller) = self else { return Ok(session) };
        let scopes = caller
            .scopes_for(app, session.receipt.patient)
            .filter(|scope| scope.interactions.contains(interaction));
        let is_house = session.receipt.patient == app.member.house();
        let keyholes = scopes.map(|scope| Keyhole::onto(scope, is_house));
        let keyholes = keyholes.collect::<Result<Vec<_>, _>>()?;
        let categories = caller.rights.categories;
        Ok(Arc::new(session.narrowed(|record| {
            categories.contains(record.category)
                && keyholes.iter().any(|keyhole| keyhole.shows(record))
        })))
    }
}

impl AppCaller {
    /// The scopes that hold for a patient's records: those of the user, and those of the patient in
    /// context. The house's directory goes with every context; see [`Keyhole::onto`].
    fn scopes_for(&self, app: &App, patient: PatientId) -> impl Iterator<Item = &ResourceScope> {
        let is_bound = self.patient == Some(patient) || app.member.house() == patient;
        let holds = move |scope: &&ResourceScope| scope.context != Context::Patient || is_bound;
        self.scopes.resources.iter().filter(holds)
    }

    /// The scopes that count for an export.
    fn export_scopes(&self) -> impl Iterator<Item = &ResourceScope> {
        self.scopes.resources.iter().filter(|scope| {
            scope.context == Context::System
                && scope.interactions.contains(Interaction::Read)
                && scope.interactions.contains(Interaction::Search)
        })
    }

    fn allows(&self, interaction: Interaction, kind: &str) -> bool {
        self.scopes.resources.iter().any(|scope| scope.allows(kind, interaction))
    }

    fn reads(&self) -> bool {
        self.scopes.resources.iter().any(|scope| scope.interactions.read())
    }

    fn writes(&self) -> bool {
        self.scopes.resources.iter().any(|scope| scope.interactions.write())
    }
}

/// A scope with its query ready.
struct Keyhole {
    scope: ResourceScope,
    conditions: Option<Conditions>,
    /// Whether it shows the directory and nothing else.
    is_directory: bool,
}

impl Keyhole {
    fn new(scope: &ResourceScope) -> Result<Self, Problem> {
        let conditions = scope.conditions().map_err(Problem::bad_request)?;
        Ok(Self { scope: scope.clone(), conditions, is_directory: false })
    }

    /// Of the house's records a scope of a patient in context shows the directory alone: groups,
    /// and what nobody was named for, may be about other patients.
    fn onto(scope: &ResourceScope, is_house: bool) -> Result<Self, Problem> {
        let is_directory = is_house && scope.context == Context::Patient;
        Ok(Self { is_directory, ..Self::new(scope)? })
    }

    fn shows(&self, record: &OpenedRecord) -> bool {
        let fits = |conditions: &Conditions| conditions.hold(record);
        let kind = record.metadata.kind.as_str();
        self.scope.is_about(kind)
            && (!self.is_directory || DIRECTORY.contains(&kind))
            && self.conditions.as_ref().is_none_or(fits)
    }
}

/// Who and what there is in a hospital, and what its words mean: about no patient, by their type.
const DIRECTORY: [&str; 19] = [
    "CodeSystem",
    "ConceptMap",
    "DeviceDefinition",
    "Endpoint",
    "HealthcareService",
    "InsurancePlan",
    "Location",
    "Medication",
    "MedicationKnowledge",
    "NamingSystem",
    "Organization",
    "OrganizationAffiliation",
    "PlanDefinition",
    "Practitioner",
    "PractitionerRole",
    "Questionnaire",
    "StructureDefinition",
    "Substance",
    "ValueSet",
];

fn forbidden(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
}

fn scope_missing(what: &str) -> Problem {
    Problem::challenge(
        "insufficient-scope",
        format!("the app was given no scope that {what}"),
        "Bearer error=\"insufficient_scope\"".to_owned(),
    )
}
