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

/// What lies beside another of its names is not to be seen from here: a backup would not be whole, and a restore would lay what is
/// there over it.
#[test]
fn backups_and_restores_by_a_second_name_are_refused_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let [path, other, backup] = ["signoff.db", "snap.db", "backup.db"].map(|name| folder.path().join(name));
    let engine = create(&path);
    revoke(&engine, "a");
    Log::sqlite(&path).back_up(&backup).unwrap();
    revoke(&engine, "b");
    fs::hard_link(&path, &other).unwrap();
    let refused = [
        Log::sqlite(&other).back_up(folder.path().join("second.db")).map(|_| ()).unwrap_err(),
        Log::sqlite(&other).restore(&backup).map(|_| ()).unwrap_err(),
        Log::sqlite(&other).insecure_restore(&backup).map(|_| ()).unwrap_err(),
    ];
    for error in refused {
        assert_eq!(error.status(), Status::LogLinked, "{error}");
    }
    assert!(!folder.path().join("second.db").exists() && !folder.path().join("snap.db-wal").exists());
    fs::remove_file(&other).unwrap();
    revoke(&engine, "c");
    drop(engine);
    assert_eq!(recorded(&path), ["a", "b", "c"]);
}

#[test]
fn a_symbolic_link_that_leads_nowhere_is_told_as_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signoff.db");
    symlink(folder.path().join("gone.db"), &path).unwrap();
    let error = open(Log::sqlite(&path).create_if_missing()).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("a symbolic link that leads to no file"), "{error}");
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

/// Runs a script in a namespace of mounts of its own. In it `signoff_test NAME` runs one of the children here.
fn in_own_mounts(script: &str) -> String {
    let mut unshare = Command::new("unshare");
    if is_root() {
        unshare.arg("--mount");
    } else {
        unshare.args(["--user", "--map-root-user", "--mount"]);
    }
    let child = r#"signoff_test() { "$0" --exact "$1" --nocapture || true; };"#;
    let output =
        unshare.args(["sh", "-ec", &format!("{child} {script}")]).arg(std::env::current_exe().unwrap()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn raw_rows(path: &Path, count: u32) {
    let insert = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO revocation (batch, scope, value, issuer, recorded_at)
        SELECT 1, 'token', 'jti:an id of some length, so that the rows take room ' || i, '*', 0 FROM n";
    rusqlite::Connection::open(path).unwrap().execute(insert, [count]).unwrap();
}

#[test]
fn child_that_writes_beside_others_and_is_killed() {
    let Some(path) = std::env::var_os("SIGNOFF_WRITES") else { return };
    let number = |name: &str| std::env::var(name).unwrap().parse::<u32>().unwrap();
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute("DELETE FROM revocation WHERE position <= ?1", [number("SIGNOFF_DELETES")]).unwrap();
    let insert = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO revocation (batch, scope, value, issuer, recorded_at) SELECT 2, 'token', 'jti:' || i, '*', 0 FROM n";
    file.execute(insert, [number("SIGNOFF_ADDS")]).unwrap();
    std::process::abort();
}

#[test]
fn child_that_backs_up() {
    let Some(path) = std::env::var_os("SIGNOFF_BACKS_UP_FROM") else { return };
    let to = std::env::var_os("SIGNOFF_BACKS_UP_TO").unwrap();
    match Log::sqlite(path).back_up(to) {
        Ok(count) => println!("\nbacked up: {count}"),
        Err(error) => println!("\nnot backed up: {error}"),
    }
}

/// Each side of a file that is a mount point has what it wrote last beside its own name.
#[test]
fn both_sides_of_a_file_that_is_a_mount_point_are_saved_whatever_each_has_written() {
    if !may_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [host, app] = ["host", "app"].map(|name| folder.path().join(name));
    for each in [&host, &app] {
        fs::create_dir(each).unwrap();
    }
    drop(create(&host.join("signoff.db")));
    raw_rows(&host.join("signoff.db"), 5000);
    let script = format!(
        "H={h}/signoff.db A={a}/signoff.db; touch $A; mount --bind $H $A;
         SIGNOFF_WRITES=$H SIGNOFF_DELETES=3000 SIGNOFF_ADDS=2000 signoff_test child_that_writes_beside_others_and_is_killed;
         SIGNOFF_WRITES=$A SIGNOFF_DELETES=0 SIGNOFF_ADDS=400 signoff_test child_that_writes_beside_others_and_is_killed;
         SIGNOFF_BACKS_UP_FROM=$H SIGNOFF_BACKS_UP_TO={h}/b.db signoff_test child_that_backs_up;
         SIGNOFF_BACKS_UP_FROM=$A SIGNOFF_BACKS_UP_TO={a}/b.db signoff_test child_that_backs_up;",
        h = host.display(),
        a = app.display()
    );
    let told = in_own_mounts(&script);
    assert!(told.contains("backed up: 4000") && told.contains("backed up: 5400"), "{told}");
}

#[test]
fn a_backup_that_fills_its_disk_says_which_and_leaves_nothing_there() {
    if !may_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [path, small] = ["signoff.db", "small"].map(|name| folder.path().join(name));
    fs::create_dir(&small).unwrap();
    drop(create(&path));
    raw_rows(&path, 20_000);
    let script = format!(
        "mount -t tmpfs -o size=1m none {s};
         SIGNOFF_BACKS_UP_FROM={p} SIGNOFF_BACKS_UP_TO={s}/b.db signoff_test child_that_backs_up; echo left: $(ls -A {s})",
        s = small.display(),
        p = path.display()
    );
    let told = in_own_mounts(&script);
    let expected = format!("not backed up: {}/b.db: the disk is full", small.display());
    assert!(told.contains(&expected) && told.contains("left:\n"), "{told}");
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
