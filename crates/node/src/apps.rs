//! Apps, roles and the identity provider in `carestone.toml`: how they are read, and the template
//! that shows them.

use anyhow::{Result, anyhow};
use web::smart::Settings;

use crate::folder::Config;

/// The file, in the node's folder, with what was issued to apps.
pub const FILE: &str = "apps.sqlite";

/// Checks what the configuration says about apps, roles and the identity provider.
pub fn settings(config: &Config) -> Result<Settings> {
    let (clients, roles) = (config.clients.clone(), config.roles.clone());
    let settings = Settings::new(clients, roles, config.identity_provider.clone());
    settings.map_err(|why| anyhow!("carestone.toml: {why}"))
}

/// The end of the template: everything in it is commented out.
pub const TEMPLATE: &str = r##"
# ---- apps and staff: see docs/smart.md ----

# What those who have a role may do at most; the patient's consent decides within it. An app is
# granted what it asks for, what its entry below allows, and what the role of its user does.
#[[roles]]
#name = "doctor"
#claims = ["carestone-doctors"]        # values of the identity provider's claim that give it
#purposes = ["TREAT"]                  # the first is meant if an app says nothing
#categories = []                       # none: all
#may_break_glass = true
#may_deliver = false
#may_register = false                 # look for patients, and say who is who: docs/matching.md
#may_erase = false                    # erase records, two people together: docs/erasure.md

#[[roles]]
#name = "quality"
#purposes = ["HOPERAT"]
#categories = ["results", "vitals", "problems"]

# Who says who staff are. Without it, they sign in with `carestone token --staff NAME`.
#[identity_provider]
#issuer = "https://id.example.org/realms/hospital"
#client_id = "carestone"
#client_secret_file = "provider.secret"   # in this folder; none: this node is a public client
#scopes = "openid profile"
#roles_claim = "roles"                 # a path, as in "realm_access.roles"
#staff_claim = "sub"                   # under which name receipts can be opened to the patient
#break_glass_acr = ["mfa"]             # none: any sign-on
#break_glass_age_s_max = 300
#ca_file = "authority.pem"             # in this folder; none: the public authorities

# An app that runs in a browser.
#[[clients]]
#id = "growth-chart"
#name = "Growth chart"
#kind = "public"                       # or "confidential", with secret_hash, jwks or jwks_url
#redirect_uris = ["https://growth.example.org/"]
#scopes = "launch launch/patient openid offline_access patient/Patient.rs patient/Observation.rs"

# A service that nobody sits in front of.
#[[clients]]
#id = "quality-report"
#kind = "backend"
#role = "quality"
#jwks_url = "https://quality.example.org/jwks.json"
#scopes = "system/Observation.rs system/Condition.rs"
"##;
