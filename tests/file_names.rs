//! One file by one name: bind mounts, hard links, snapshots, links of other kinds, and the layers that containers put over a file.
//! Each ends in a clear answer, and nothing that was acknowledged is lost.
#![cfg(all(feature = "sqlite", target_os = "linux"))]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{keys, with_claims};
use signoff::{Engine, Error, Log, LogError, Note, Policy, Revocation, Revoked, Scratch, Status, Threads, Times};

fn open(log: Log) -> Result<Engine, Error> {
    Engine::open(keys(), Policy::new(), log.threads(Threads::None))
}

fn create(path: &Path) -> Engine {
    open(Log::sqlite(path).create_if_missing()).unwrap()
}

fn fault(path: &Path) -> LogError {
    match open(Log::sqlite(path)).map(|_| ()).unwrap_err() {
        Error::Log(error) => error,
        other => panic!("{other:?}"),
    }
}

fn revoke(engine: &Engine, jti: &str) -> Revoked {
    let until = Times::now().wall().plus(Duration::from_secs(3600));
    engine.revoke(Revocation::token_id(jti).keep_until(until)).unwrap()
}

fn is_revoked(engine: &Engine, jti: &str) -> bool {
    let exp = Times::now().wall().as_secs() + 3600;
    let token = with_claims(&format!(r#"{{"jti":"{jti}","exp":{exp}}}"#));
    engine.verify(&mut Scratch::new(), &token).is_err_and(|denied| denied.status() == Status::TokenRevoked)
}

fn name(record: &signoff::Record) -> String {
    record.target.value().trim_start_matches("jti:").to_owned()
}

/// What is in the file, for whoever opens it now.
fn recorded(path: &Path) -> Vec<String> {
    let engine = open(Log::sqlite(path)).unwrap();
    engine.revocations().unwrap().map(|record| name(&record.unwrap())).collect()
}

#[test]
fn a_file_with_two_names_is_refused_by_either_unless_it_is_allowed_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let [path, other] = ["signoff.db", "other.db"].map(|name| folder.path().join(name));
    drop(create(&path));
    fs::hard_link(&path, &other).unwrap();
    for name in [&path, &other] {
        let error = fault(name);
        assert_eq!(error, LogError::Linked { path: name.display().to_string(), links: 2 });
        assert_eq!(error.status(), Status::LogLinked);
        assert!(error.to_string().contains("remove the other names"), "{error}");
    }
    let engine = open(Log::sqlite(&path).insecure_several_names()).unwrap();
    revoke(&engine, "a");
    assert_eq!(engine.health().note, Some(Note::SeveralNames));
    drop(engine);
    fs::remove_file(&other).unwrap();
    assert_eq!(recorded(&path), ["a"]);
    let misplaced = open(Log::memory().insecure_several_names()).map(|_| ()).unwrap_err();
    assert_eq!(misplaced.status(), Status::LogUrl);
}

/// `cp -al` gives every file of a tree a second name.
#[test]
fn a_snapshot_of_links_beside_a_running_service_is_told_by_health_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (data, path) = (folder.path().join("data"), folder.path().join("data/signoff.db"));
    fs::create_dir(&data).unwrap();
    let engine = create(&path);
    revoke(&engine, "before");
    let copied = Command::new("cp").arg("-al").arg(&data).arg(folder.path().join("snapshot")).status().unwrap();
    assert!(copied.success());
    revoke(&engine, "after");
    engine.refresh().unwrap();
    assert_eq!(engine.health().note, Some(Note::SeveralNames));
    assert!(engine.health().is_ready() && is_revoked(&engine, "after"));
    assert!(matches!(fault(&path), LogError::Linked { .. }));
    fs::remove_dir_all(folder.path().join("snapshot")).unwrap();
    engine.refresh().unwrap();
    assert_eq!(engine.health().note, None);
    drop(engine);
    assert_eq!(recorded(&path), ["before", "after"]);
}

#[test]
fn a_symbolic_link_names_the_file_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("signoff.db"), folder.path().join("link.db"));
    let one = create(&path);
    symlink(&path, &link).unwrap();
    let other = open(Log::sqlite(&link)).unwrap();
    revoke(&one, "a");
    revoke(&other, "b");
    one.refresh().unwrap();
    other.refresh().unwrap();
    assert!(is_revoked(&one, "b") && is_revoked(&other, "a"));
    assert_eq!((one.health().note, other.health().note), (None, None));
}

#[test]
fn what_a_crash_has_left_of_a_draft_is_removed_and_what_is_no_draft_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signoff.db");
    drop(create(&path));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no name but the log's");
    let draft = folder.path().join(".signoff.db.0123456789abcdef0123456789abcdef");
    fs::hard_link(&path, &draft).unwrap();
    drop(open(Log::sqlite(&path)).unwrap());
    assert!(!draft.exists());
    // Another file's draft, and names that are none.
    let others = [
        ".signoff.db.0123",
        ".other.db.0123456789abcdef0123456789abcdef",
        ".signoff.db.zzzz456789abcdef0123456789abcdef",
    ];
    for other in others {
        fs::hard_link(&path, folder.path().join(other)).unwrap();
    }
    assert!(matches!(fault(&path), LogError::Linked { links: 4, .. }));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
}

#[test]
fn while_a_log_is_made_it_never_has_two_names() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let path = folder.path().join(format!("{round}.db"));
        std::thread::scope(|scope| {
            let openers: Vec<_> =
                (0..4).map(|_| scope.spawn(|| open(Log::sqlite(&path).create_if_missing()).map(|_| ()))).collect();
            for opener in openers {
                opener.join().unwrap().unwrap();
            }
        });
        assert_eq!(fs::metadata(&path).unwrap().nlink(), 1);
    }
}

#[test]
fn what_is_written_last_is_kept_when_somebody_deletes_it_under_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signoff.db");
    let (one, other) = (create(&path), open(Log::sqlite(&path)).unwrap());
    for jti in ["a", "b"] {
        revoke(&one, jti);
    }
    revoke(&other, "c");
    // What another copy of SQLite does to the whole process when it closes the file.
    let rob = || ["-wal", "-shm"].map(|suffix| fs::remove_file(format!("{}{suffix}", path.display())).unwrap());
    rob();
    assert!(matches!(revoke(&one, "d"), Revoked::Recorded { .. }));
    for engine in [&one, &other] {
        engine.refresh().unwrap();
        assert!(["a", "b", "c", "d"].into_iter().all(|jti| is_revoked(engine, jti)));
    }
    rob();
    // Found out by who reads, too.
    other.refresh().unwrap();
    one.refresh().unwrap();
    revoke(&other, "e");
    // Another process has it all, at once.
    let mut others = in_another_process(&path);
    others.sort();
    assert_eq!(others, ["a", "b", "c", "d", "e"]);
    drop((one, other));
    assert_eq!(recorded(&path).len(), 5);
}

/// What another process finds in the log.
fn in_another_process(path: &Path) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap());
    let child = child.args(["--exact", "child_that_lists_a_log", "--nocapture"]).env("SIGNOFF_LISTS", path).output();
    let text = String::from_utf8(child.unwrap().stdout).unwrap();
    let found = text.lines().filter_map(|line| Some(line.split_once("found: ")?.1.to_owned()));
    found.filter(|line| !line.starts_with("note ")).collect()
}

/// No test of its own: what `in_another_process` runs. Revokes too where it is told to.
#[test]
fn child_that_lists_a_log() {
    let Some(path) = std::env::var_os("SIGNOFF_LISTS") else { return };
    let engine = match open(Log::sqlite(&path)) {
        Ok(engine) => engine,
        Err(error) => {
            println!("found: {error}");
            // What was recorded can be saved all the same.
            if let Some(backup) = std::env::var_os("SIGNOFF_BACKS_UP") {
                println!("found: {} saved", Log::sqlite(&path).back_up(backup).unwrap());
            }
            return;
        }
    };
    if let Some(jti) = std::env::var_os("SIGNOFF_REVOKES") {
        revoke(&engine, jti.to_str().unwrap());
    }
    for record in engine.revocations().unwrap() {
        println!("found: {}", name(&record.unwrap()));
    }
    println!("\nfound: note {:?}", engine.health().note);
}

/// Whether this machine lets anybody mount anything: not all containers do.
fn may_mount() -> bool {
    let mut unshare = Command::new("unshare");
    if is_root() {
        unshare.arg("--mount");
    } else {
        unshare.args(["--user", "--map-root-user", "--mount"]);
    }
    let may =
        unshare.args(["sh", "-c", "mount -t tmpfs none /mnt"]).output().is_ok_and(|output| output.status.success());
    if !may {
        eprintln!("SKIPPED: mounts, which this machine does not let a process make in a namespace of its own");
    }
    may
}

/// Runs a script in a namespace of mounts of its own, which only root can make.
fn mounted(script: &str, path: &Path) -> String {
    let script = format!("{script} exec \"$0\" --exact child_that_lists_a_log --nocapture");
    let mut unshare = Command::new("unshare");
    if is_root() {
        unshare.arg("--mount");
    } else {
        unshare.args(["--user", "--map-root-user", "--mount"]);
    }
    let child = unshare
        .args(["sh", "-ec", &script])
        .arg(std::env::current_exe().unwrap())
        .env("SIGNOFF_LISTS", path)
        .env("SIGNOFF_REVOKES", "inside")
        .env("SIGNOFF_BACKS_UP", path.with_extension("saved"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(text.contains("found: "), "{text}{}", String::from_utf8_lossy(&child.stderr));
    text
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// The usual slip with containers: `-v ./signoff.db:/app/signoff.db`.
#[test]
fn a_file_that_is_a_mount_point_itself_is_refused_and_its_folder_is_not() {
    if !may_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (outside, inside) = (folder.path().join("host"), folder.path().join("app"));
    fs::create_dir(&outside).unwrap();
    fs::create_dir(&inside).unwrap();
    let path = outside.join("signoff.db");
    let engine = create(&path);
    revoke(&engine, "outside");

    let target = inside.join("signoff.db");
    let slip = format!("touch {t}; mount --bind {p} {t};", t = target.display(), p = path.display());
    let told = mounted(&slip, &target);
    assert!(told.contains("is a mount point itself") && told.contains("mount the folder"), "{told}");
    // What is beside the file outside is not to be seen from here.
    assert!(told.contains("found: 0 saved"), "{told}");
    fs::remove_file(&target).unwrap();

    let right = format!("mount --bind {} {};", outside.display(), inside.display());
    let told = mounted(&right, &target);
    assert!(told.contains("found: outside") && told.contains("found: inside") && told.contains("note None"), "{told}");
    engine.refresh().unwrap();
    assert!(is_revoked(&engine, "inside"));
}

#[test]
fn a_file_of_a_containers_lower_layer_is_copied_up_first_and_health_says_where_it_lies() {
    if !may_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [lower, merged, ram] = ["lower", "merged", "ram"].map(|name| folder.path().join(name));
    for each in [&lower, &merged, &ram] {
        fs::create_dir(each).unwrap();
    }
    let engine = create(&lower.join("signoff.db"));
    revoke(&engine, "of the image");
    drop(engine);
    // The upper layer on a file system that any overlay takes.
    let script = format!(
        "mount -t tmpfs none {ram}; mkdir {ram}/upper {ram}/work; \
         mount -t overlay overlay -o lowerdir={lower},upperdir={ram}/upper,workdir={ram}/work {merged};",
        ram = ram.display(),
        lower = lower.display(),
        merged = merged.display()
    );
    let told = mounted(&script, &merged.join("signoff.db"));
    assert!(told.contains("found: of the image") && told.contains("found: inside"), "{told}");
    assert!(told.contains("note Some(Overlay)"), "{told}");
    assert_eq!(recorded(&lower.join("signoff.db")), ["of the image"]);
}

#[test]
fn a_file_in_memory_is_as_good_as_another_and_one_that_cant_be_written_is_refused() {
    if !may_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let ram = folder.path().join("ram");
    fs::create_dir(&ram).unwrap();
    let path = folder.path().join("signoff.db");
    drop(create(&path));
    let script = format!("mount -t tmpfs none {r}; cp {p} {r}/signoff.db;", r = ram.display(), p = path.display());
    let told = mounted(&script, &ram.join("signoff.db"));
    assert!(told.contains("found: inside") && told.contains("note None"), "{told}");

    let script = format!("mount --bind {f} {f}; mount -o remount,bind,ro {f};", f = folder.path().display());
    let told = mounted(&script, &path);
    assert!(told.contains("can't be written to"), "{told}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
