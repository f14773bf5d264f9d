//! `[quality]` in `carestone.toml`: what is done about what the checks find.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use flows::quality::{Action, Check, Policy};

use crate::folder::{Config, nearest};

/// Reads what the configuration says about quality.
///
/// # Errors
/// A check or an action that is not known, with the nearest one that is.
pub fn policy(config: &Config) -> Result<Policy> {
    let mut policy =
        Policy { base: Some(format!("{}/fhir", config.base_url())), ..Policy::default() };
    for (key, value) in &config.quality {
        match (key.as_str(), value) {
            ("sources", toml::Value::Table(sources)) => {
                for (source, rules) in sources {
                    let of_source = format!("quality.sources.{source}");
                    let rules = rules.as_table().ok_or_else(|| {
                        anyhow!("carestone.toml: {of_source} names checks and actions")
                    })?;
                    policy.of_sources.insert(source.clone(), self::rules(rules, &of_source)?);
                }
            }
            _ => {
                let (check, action) = rule(key, value, "quality")?;
                policy.rules.insert(check, action);
            }
        }
    }
    Ok(policy)
}

fn rules(table: &toml::Table, place: &str) -> Result<BTreeMap<Check, Action>> {
    table.iter().map(|(key, value)| rule(key, value, place)).collect()
}

fn rule(key: &str, value: &toml::Value, place: &str) -> Result<(Check, Action)> {
    let check = Check::parse(key).ok_or_else(|| {
        let codes = Check::ALL.iter().map(|check| check.code());
        let like = nearest(key, codes.chain(["sources"]));
        anyhow!("carestone.toml: unknown key `{place}.{key}`{like}")
    })?;
    let action = value.as_str().and_then(Action::parse).ok_or_else(|| {
        let words = Action::ALL.map(Action::word).join("`, `");
        anyhow!("carestone.toml: `{place}.{key}` is one of `{words}`")
    })?;
    Ok((check, action))
}

/// The part of the template about quality: everything in it is commented out.
pub fn template() -> String {
    let rule = |check: &Check| {
        let action = Action::standard(*check).word();
        format!("#{} = \"{action}\"\n", check.code())
    };
    let rules: String = Check::ALL.iter().map(rule).collect();
    format!(
        "
# ---- the quality of what comes in: see docs/quality.md ----

# What is done about what a check finds: \"refuse\", \"quarantine\" (it waits: `carestone
# worklist`), \"flag\" (it is stored, counted and listed: `carestone quality`) or \"off\".
#[quality]
{rules}
# Other rules for a feed, a system (by its token) or an app.
#[quality.sources.\"feed:adt\"]
#patient-differs = \"quarantine\"
"
    )
}
