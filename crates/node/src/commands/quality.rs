//! `carestone quality`: what came in of each source, what became of it, and what was found in it.

use anyhow::Result;
use clap::Args;
use serde_json::{Map, Value, json};

use super::{AtNode, Print};

/// `carestone quality`
#[derive(Args)]
pub struct Quality {
    #[command(flatten)]
    at: AtNode,
    /// How many days, today included.
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// Instead, list the records in which this check found something, as they are now.
    #[arg(long)]
    check: Option<String>,
}

impl Quality {
    /// Runs the command.
    pub fn run(self, print: Print) -> Result<()> {
        match &self.check {
            Some(check) => self.list(check, print),
            None => {
                let report = self.at.client().get_json(&format!("{QUALITY}?days={}", self.days))?;
                print.result(&report, || table(&report));
                Ok(())
            }
        }
    }

    fn list(&self, check: &str, print: Print) -> Result<()> {
        let (client, mut all, mut from) = (self.at.client(), Vec::new(), Some(0));
        let mut advice = String::new();
        while let Some(number) = from {
            let mut page = client.get_json(&format!("{QUALITY}/{check}?from={number}"))?;
            all.extend(page["records"].as_array_mut().into_iter().flatten().map(Value::take));
            advice = page["advice"].as_str().unwrap_or_default().to_owned();
            from = page["next"].as_u64();
        }
        let result = json!({ "check": check, "advice": advice, "records": all });
        print.result(&result, || {
            let name = |one: &Value| one["record"].as_str().unwrap_or_default().to_owned();
            let names: Vec<String> = all.iter().map(name).collect();
            format!("{} records: {advice}\n{}", all.len(), names.join("\n"))
        });
        Ok(())
    }
}

/// The report as a table for people: a block for each source.
fn table(report: &Value) -> String {
    let sources = report["sources"].as_array().map(Vec::as_slice).unwrap_or_default();
    if sources.is_empty() {
        return "nothing came in".to_owned();
    }
    sources.iter().map(of_source).collect::<Vec<_>>().join("\n\n")
}

fn of_source(source: &Value) -> String {
    let row = |name: &str, of: &Value| {
        let count = |what: &str| of[what].to_string();
        let (came, filed) = (count("deliveries"), count("resources"));
        let (refused, waits) = (count("refused"), count("quarantined"));
        format!("{name:<12} {came:>10} {filed:>10} {refused:>10} {waits:>11}")
    };
    let name = source["source"].as_str().unwrap_or_default();
    let mut lines = vec![
        name.to_owned(),
        "day          deliveries  resources    refused quarantined".to_owned(),
    ];
    let days = source["days"].as_array().map(Vec::as_slice).unwrap_or_default();
    lines.extend(days.iter().map(|day| row(day["day"].as_str().unwrap_or_default(), day)));
    let total = &source["total"];
    lines.push(row("all", total));
    for what in ["refused", "quarantined", "flagged"] {
        let by: Option<&Map<String, Value>> = total[format!("{what}_by")].as_object();
        let counts = by.into_iter().flatten();
        lines.extend(counts.map(|(check, count)| format!("  {what} {check}: {count}")));
    }
    let complete = total["completeness"].as_array().into_iter().flatten();
    lines.extend(complete.map(|one| {
        let (of, with) = (one["of"].as_u64().unwrap_or(0), one["with"].as_u64().unwrap_or(0));
        let percent = (100 * with).checked_div(of).unwrap_or(0);
        format!("  {}: {with} of {of} ({percent} %)", one["what"].as_str().unwrap_or_default())
    }));
    lines.join("\n")
}

const QUALITY: &str = "/carestone/v1/quality";
