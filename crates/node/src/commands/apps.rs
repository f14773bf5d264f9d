//! `carestone client`: which apps and services a node knows. They stand in `carestone.toml`; these
//! commands spare people the secret's hash and mistakes of spelling. Comments stay as they are.

use std::{fs, os::unix::fs::PermissionsExt};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand};
use flows::words::hex;
use serde_json::json;

use super::{InFolder, Print};
use crate::{
    apps,
    folder::{Config, Folder, write_new},
    progress::say,
};

/// `carestone client`
#[derive(Args)]
pub struct Client {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Register an app that keeps no secret, or one that gets a secret from this command.
    Add(Add),
    /// List the apps and services that the node knows.
    List(InFolder),
    /// Forget one; its tokens hold no more once the node is started again.
    Remove(Remove),
    /// End at once what all apps hold in the name of a member of staff, such as one who leaves.
    SignOut(SignOut),
}

#[derive(Args)]
struct Add {
    #[command(flatten)]
    folder: InFolder,
    /// Its name among programs.
    id: String,
    /// Its name among people.
    #[arg(long)]
    name: Option<String>,
    /// Give it a secret, for an app that runs on a server.
    #[arg(long)]
    confidential: bool,
    /// Where the browser goes back to, exactly.
    #[arg(long = "redirect", required = true)]
    redirects: Vec<String>,
    /// What it may ask for, as in "launch/patient patient/Observation.rs".
    #[arg(long)]
    scopes: String,
}

#[derive(Args)]
struct Remove {
    #[command(flatten)]
    folder: InFolder,
    /// Its name among programs.
    id: String,
}

#[derive(Args)]
struct SignOut {
    #[command(flatten)]
    folder: InFolder,
    /// Under which name this hospital knows them.
    #[arg(long)]
    staff: String,
}

impl Client {
    /// Runs the command.
    pub fn run(self, print: Print) -> Result<()> {
        match self.what {
            What::Add(add) => add.run(print),
            What::List(folder) => list(&folder, print),
            What::Remove(remove) => remove.run(),
            What::SignOut(sign_out) => sign_out.run(print),
        }
    }
}

impl Add {
    fn run(self, print: Print) -> Result<()> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes);
        let secret = self.confidential.then(|| hex(&bytes));
        let text = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut block = format!("\n[[clients]]\nid = {}\n", text(&self.id));
        if let Some(name) = &self.name {
            block.push_str(&format!("name = {}\n", text(name)));
        }
        match &secret {
            Some(secret) => {
                let hash = hex(&proof::sha256(&[secret.as_bytes()]));
                block.push_str(&format!(
                    "kind = \"confidential\"\nsecret_hash = \"sha256:{hash}\"\n"
                ));
            }
            None => block.push_str("kind = \"public\"\n"),
        }
        let redirects: Vec<String> = self.redirects.iter().map(|uri| text(uri)).collect();
        block.push_str(&format!("redirect_uris = [{}]\n", redirects.join(", ")));
        block.push_str(&format!("scopes = {}\n", text(&self.scopes)));
        change(&self.folder, |old| Ok(old.to_owned() + &block))?;
        print.result(&json!({ "id": self.id, "secret": secret }), || match &secret {
            Some(secret) => format!("registered {}; its secret, shown only now: {secret}", self.id),
            None => format!("registered {}", self.id),
        });
        say("start the node again for it to take effect");
        Ok(())
    }
}

impl Remove {
    fn run(self) -> Result<()> {
        change(&self.folder, |text| without(text, &self.id))?;
        say(format!("forgot {}; start the node again for it to take effect", self.id));
        Ok(())
    }
}

impl SignOut {
    fn run(self, print: Print) -> Result<()> {
        let folder = Folder::new(&self.folder.data);
        let (file, key) = (folder.path(apps::FILE), folder.secret()?.apps_key());
        let ended = web::smart::sign_out(&file, &key, &self.staff);
        let ended = ended.map_err(|why| anyhow!("{}: {why}", file.display()))?;
        print.result(&json!({ "staff": self.staff, "ended": ended }), || {
            format!("ended {ended} authorization(s) of {}", self.staff)
        });
        Ok(())
    }
}

fn list(folder: &InFolder, print: Print) -> Result<()> {
    let settings = apps::settings(&Folder::new(&folder.data).config()?)?;
    let clients = settings.clients.iter();
    let all: Vec<_> = clients
        .map(|client| {
            json!({
                "id": client.id,
                "name": client.name,
                "kind": format!("{:?}", client.kind).to_lowercase(),
                "scopes": client.scopes.to_string(),
            })
        })
        .collect();
    print.result(&json!({ "clients": all }), || {
        let line = |client: &web::smart::Client| {
            let kind = format!("{:?}", client.kind).to_lowercase();
            format!("{} ({kind}): {}", client.id, client.scopes)
        };
        settings.clients.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

/// Changes the configuration, if what comes out is one that a node would start with.
fn change(folder: &InFolder, edit: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    let path = Folder::new(&folder.data).path("carestone.toml");
    let old = fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}: run `carestone init` first", path.display()))?;
    let new = edit(&old)?;
    let config: Config = toml::from_str(&new).context("this cannot be a configuration")?;
    apps::settings(&config)?;
    let beside = path.with_extension("toml.new");
    let mode = fs::metadata(&path)?.permissions().mode();
    let _ = fs::remove_file(&beside); // Left by a command that was broken off.
    write_new(&beside, &new, mode)?;
    fs::rename(&beside, &path).with_context(|| format!("cannot write {}", path.display()))
}

/// The text without the table of one client: from its header to the comments before the next one.
fn without(text: &str, id: &str) -> Result<String> {
    let mut tables: Vec<String> = vec![String::new()];
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with('[') {
            tables.push(String::new());
        }
        tables.last_mut().expect("there is one").push_str(line);
    }
    let is_it = |table: &String| {
        let parsed: Option<toml::Table> = table.parse().ok();
        let client = parsed.as_ref().and_then(|parsed| parsed.get("clients")?.get(0)?.get("id"));
        client.and_then(toml::Value::as_str) == Some(id)
    };
    let Some(table) = tables.iter_mut().find(|table| is_it(table)) else {
        bail!("there is no client `{id}`");
    };
    *table = comments_after(table);
    Ok(tables.concat())
}

/// What follows a table's last entry and belongs to the next one.
fn comments_after(table: &str) -> String {
    let lines: Vec<&str> = table.split_inclusive('\n').collect();
    let is_entry = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
    let after = lines.iter().rposition(is_entry).map_or(0, |last| last + 1);
    lines[after..].concat().trim_start_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_goes_and_the_rest_stays() {
        let text = "# top\nname = \"x\"\n\n[[clients]]\nid = \"a\"\nkind = \"public\"\n\
                    redirect_uris = [\n  \"https://a.example/\",\n]\n\n\
                    # a role\n[[roles]]\nname = \"r\"\n\n[[clients]]\nid = \"b\"\n";
        let rest = without(text, "a").unwrap();
        assert_eq!(
            rest,
            "# top\nname = \"x\"\n\n# a role\n[[roles]]\nname = \"r\"\n\n[[clients]]\nid = \"b\"\n"
        );
        assert!(without(text, "c").unwrap_err().to_string().contains("no client `c`"));
    }
}
