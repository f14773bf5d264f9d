//! Imports that cannot go on come to an end that is kept, and give their place back.

use std::{
    io::{self, Read},
    sync::Arc,
};

use flows::{
    Busy, Import, ImportOrder, Imports, Member,
    import::{Counts, Fetch, Input, Reserved, Room, Sender, Source, Step, Why},
    limits,
};

use crate::member;

/// What lies at every address.
struct Everywhere(fn() -> Result<Box<dyn Read + Send>, Why>);

impl Fetch for Everywhere {
    fn check(&self, _url: &str) -> Result<(), String> {
        Ok(())
    }

    fn open(&self, _url: &str) -> Result<Box<dyn Read + Send>, Why> {
        (self.0)()
    }
}

/// The imports of a member, and their folder.
struct Desk {
    member: Arc<Member>,
    vault: Arc<vault::Memory>,
    folder: tempfile::TempDir,
    imports: Imports,
}

impl Desk {
    fn of(everywhere: fn() -> Result<Box<dyn Read + Send>, Why>) -> Desk {
        let (folder, vault) = (tempfile::tempdir().unwrap(), Arc::default());
        let member = member(Arc::clone(&vault));
        let fetch = Arc::new(Everywhere(everywhere));
        let path = folder.path().to_owned();
        let imports = Imports::open(member.clone(), path, fetch).unwrap();
        Desk { member, vault, folder, imports }
    }

    /// The same after a restart.
    fn again(self) -> Desk {
        let member = member(self.vault.clone());
        let fetch = Arc::new(Everywhere(|| Err(Why::from("nobody asks".to_owned()))));
        let path = self.folder.path().to_owned();
        let imports = Imports::open(member.clone(), path, fetch).unwrap();
        Desk { member, imports, ..self }
    }

    fn room(&self, key: Option<&str>) -> Room {
        match self.imports.reserve(sender("ehr", key)) {
            Ok(Reserved::Room(room)) => room,
            _ => panic!("there is no room"),
        }
    }

    fn begin(&self, source: Source) -> Arc<Import> {
        let inputs = vec![Input { kind: None, source }];
        let order = ImportOrder { request: String::new(), types: None, inputs };
        self.imports.begin(order, self.room(None)).unwrap()
    }

    /// Does steps until there is nothing more to do; gives why it came to no good end.
    fn why(&self, import: &Import) -> String {
        while self.imports.step(import).unwrap() != Step::Ended {}
        import.state().ended.clone().unwrap().why.unwrap_or_default()
    }
}

fn sender(owner: &str, key: Option<&str>) -> Sender {
    Sender { owner: owner.to_owned(), key: key.map(str::to_owned) }
}

fn address() -> Source {
    Source::Url("https://files.example.org/x?sig=secret".to_owned())
}

#[test]
fn a_panic_ends_its_import_and_is_not_repeated_after_a_restart() {
    let desk = Desk::of(|| panic!("a fault that nobody has thought of"));
    for _ in 0..2 * limits::IMPORTS_RUNNING_MAX {
        let import = desk.begin(address());
        assert!(desk.why(&import).contains("this node failed"), "and its place is free again");
    }
    let id = desk.begin(address()).id.clone();
    desk.why(&desk.imports.find(&id, "ehr").unwrap());
    let desk = desk.again();
    assert!(desk.imports.unfinished().is_empty());
    let import = desk.imports.find(&id, "ehr").unwrap();
    assert!(desk.why(&import).contains("this node failed"));
    assert_eq!(import.state().counts(), Counts::default());
    assert_eq!(desk.imports.step(&import).unwrap(), Step::Ended);
}

#[test]
fn an_input_that_can_never_be_had_is_told_with_its_address_to_its_sender() {
    let desk = Desk::of(|| Err(Why { for_sender: "here".into(), for_log: "there".into() }));
    let why = desk.why(&desk.begin(address()));
    assert!(why.contains("sig=secret) cannot be had: here"), "{why}");
    let desk = Desk::of(|| Ok(Box::new(io::Cursor::new(b"\x1f\x8bno gzip"))));
    let why = desk.why(&desk.begin(address()));
    assert!(why.contains("broke off"), "{why}");
}

#[test]
fn an_input_that_is_gone_ends_its_import() {
    let desk = Desk::of(|| Err(Why::from("nobody asks".to_owned())));
    let input = desk.imports.spool(&b"{}\n"[..]).unwrap();
    let import = desk.begin(Source::Here(input));
    let file = std::fs::read_dir(desk.folder.path()).unwrap().next().unwrap().unwrap().path();
    // What may pass is tried again, and what cannot get better is not.
    std::fs::rename(&file, desk.folder.path().join("aside")).unwrap();
    std::fs::create_dir(&file).unwrap();
    for _ in 1..limits::IMPORT_READS_MAX {
        let step = desk.imports.step(&import).unwrap();
        assert_eq!(step, Step::Later(limits::IMPORT_LATER_MS));
    }
    std::fs::remove_dir(&file).unwrap();
    assert!(desk.why(&import).contains("cannot be read any more"));
}

#[test]
fn what_fails_for_too_long_ends_as_well() {
    let desk = Desk::of(|| Err(Why::from("nobody asks".to_owned())));
    let input = desk.imports.spool(&b"{}\n"[..]).unwrap();
    let import = desk.begin(Source::Here(input));
    let file = std::fs::read_dir(desk.folder.path()).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert!(desk.why(&import).contains("cannot be read any more"));
}

#[test]
fn a_name_is_of_one_import_from_its_first_byte_on() {
    let desk = Desk::of(|| Err(Why::from("nobody asks".to_owned())));
    let reserve = |owner, key| desk.imports.reserve(sender(owner, key));
    let room = desk.room(Some("monday"));
    assert!(matches!(reserve("ehr", Some("monday")), Ok(Reserved::Coming)));
    assert!(matches!(reserve("lab", Some("monday")), Ok(Reserved::Room(_))));
    assert!(matches!(reserve("ehr", Some("tuesday")), Ok(Reserved::Room(_))));
    let rooms: Vec<Room> = (1..limits::IMPORTS_RUNNING_MAX).map(|_| desk.room(None)).collect();
    assert!(matches!(reserve("ehr", None), Err(Busy { .. })));
    // Who asks for what is there gets it, however much there is to do.
    assert!(matches!(reserve("ehr", Some("monday")), Ok(Reserved::Coming)));
    drop(rooms);
    let inputs = vec![Input { kind: None, source: address() }];
    let order = ImportOrder { request: String::new(), types: None, inputs };
    let begun = desk.imports.begin(order, room).unwrap();
    let Ok(Reserved::Begun(found)) = reserve("ehr", Some("monday")) else { panic!("not found") };
    assert_eq!(found.id, begun.id);
    // One that broke off leaves its name.
    drop(desk.room(Some("friday")));
    desk.room(Some("friday"));
}

#[test]
fn what_cannot_be_read_of_one_import_keeps_nobody_from_starting() {
    let desk = Desk::of(|| Err(Why::from("nobody asks".to_owned())));
    let whole = desk.begin(address()).id.clone();
    let job = vault::Token([9; 16]);
    let parts = vec![vault::JobPart { job, part: 0, sealed: vec![1; 99] }];
    let batch = vault::Batch { jobs: parts, ..vault::Batch::default() };
    desk.member.vault.store(batch).unwrap();
    std::fs::write(desk.folder.path().join("of-somebody"), b"x").unwrap();
    let desk = desk.again();
    let unfinished: Vec<String> =
        desk.imports.unfinished().iter().map(|import| import.id.clone()).collect();
    assert_eq!(unfinished, [whole]);
    assert!(desk.folder.path().join("of-somebody").exists());
    // Once nothing is unreadable any more, what belongs to nothing goes.
    desk.member.vault.forget_job(job).unwrap();
    let desk = desk.again();
    assert!(!desk.folder.path().join("of-somebody").exists());
}
