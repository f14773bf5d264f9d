//! Several members on this machine, each a process of its own: for the demo and for measuring.

use std::{
    env,
    fs::File,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use flows::{
    NodeSecret,
    token::Bearer,
    words::{MemberId, PatientId},
};

use super::node::{genesis, is_ready, signer_origins};
use crate::{client::Client, folder::Folder, ports, wiring::now_ms};

/// The members, and the folder they live in.
pub struct Cluster {
    /// The members, in the order in which they were made.
    pub members: Vec<Process>,
}

/// One member's process.
pub struct Process {
    /// Name of the organisation.
    pub name: String,
    /// Member id, in hex.
    pub id: String,
    /// Its folder.
    pub folder: Folder,
    /// Its address.
    pub url: String,
    secret: NodeSecret,
    child: Option<Child>,
}

impl Cluster {
    /// Founds a network of so many members in a folder and starts them.
    pub fn start(path: &Path, names: &[String], configure: &str) -> Result<Cluster> {
        let mut members = Vec::new();
        let mut cards = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let folder = Folder::new(path.join(format!("member-{}", index + 1)));
            let (peer, http) = (free_address()?, free_address()?);
            let secret = folder.found(name, peer, http)?;
            append(&folder, configure)?;
            let engine_key = consensus::engine_key(&secret.engine_seed());
            let card = secret.member(name, engine_key, &peer.to_string());
            let id = card.id.to_string();
            cards.push(card);
            let url = format!("http://localhost:{}", http.port());
            members.push(Process { name: name.clone(), id, folder, url, secret, child: None });
        }
        let genesis = genesis("Demo network", None, cards, signer_origins(&[])?)?;
        for member in &mut members {
            member.folder.put_genesis(&genesis)?;
            member.start()?;
        }
        Ok(Cluster { members })
    }

    /// Waits until every member can take and hand out records.
    pub fn wait_ready(&mut self, limit: Duration) -> Result<()> {
        for member in &mut self.members {
            member.wait_ready(limit)?;
        }
        Ok(())
    }
}

impl Process {
    /// Starts the member's process; what it logs goes to `node.log` in its folder.
    pub fn start(&mut self) -> Result<()> {
        let binary = env::current_exe().context("cannot find this program")?;
        let log = self.folder.path("node.log");
        let log = File::options().create(true).append(true).open(&log).context("node.log")?;
        let child = Command::new(binary)
            .arg("run")
            .arg("--data")
            .arg(self.folder.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("cannot start a member")?;
        self.child = Some(child);
        Ok(())
    }

    /// Kills the process as `kill -9` does.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().context("cannot kill a member")?;
            child.wait().context("cannot wait for a killed member")?;
        }
        Ok(())
    }

    /// Waits until the member can take and hand out records.
    pub fn wait_ready(&mut self, limit: Duration) -> Result<()> {
        let client = self.client();
        let start = Instant::now();
        while !is_ready(&client) {
            let child = self.child.as_mut().context("the member was not started")?;
            let log = self.folder.path("node.log");
            if let Some(status) = child.try_wait()? {
                bail!("{} ended ({status}); its log is {}", self.name, log.display());
            }
            if start.elapsed() > limit {
                bail!("{} is not ready after {limit:?}; its log is {}", self.name, log.display());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Member id.
    pub fn member_id(&self) -> MemberId {
        flows::keys::member_id(&self.secret.command_public())
    }

    /// The member's secret, which this program made.
    pub fn secret(&self) -> &NodeSecret {
        &self.secret
    }

    /// The process id, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// A client without a token.
    pub fn client(&self) -> Client {
        Client::new(&self.url, None)
    }

    /// A client of a system that delivers records.
    pub fn system(&self) -> Client {
        self.as_bearer(Bearer::System("ehr".to_owned()))
    }

    /// A client of a member of staff.
    pub fn staff(&self, name: &str) -> Client {
        self.as_bearer(Bearer::Staff(name.to_owned()))
    }

    /// A client of a patient.
    pub fn patient(&self, patient: PatientId) -> Client {
        self.as_bearer(Bearer::Patient(patient))
    }

    fn as_bearer(&self, bearer: Bearer) -> Client {
        self.client().with_token(self.secret.issue_token(bearer, now_ms() + TOKEN_MS))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("{}: {error:#}", self.name);
        }
    }
}

fn append(folder: &Folder, configure: &str) -> Result<()> {
    use std::io::Write;
    let path = folder.path("carestone.toml");
    let mut file = File::options().append(true).open(&path).context("carestone.toml")?;
    file.write_all(configure.as_bytes()).context("carestone.toml")
}

/// An address for a member that is to be started.
fn free_address() -> Result<SocketAddr> {
    let port = ports::claim().context("cannot find a free port")?;
    Ok((Ipv4Addr::LOCALHOST, port).into())
}

const TOKEN_MS: u64 = 24 * 60 * 60 * 1_000;
