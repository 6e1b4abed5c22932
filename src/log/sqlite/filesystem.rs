//! The file itself: which one a path names, by how many names, and whether it lies where locks work.

use std::path::{Path, PathBuf};

use super::{LogError, SeveralNames};
use crate::log::Note;

/// What tells a file from another that has taken its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
}

impl FileId {
    #[cfg(unix)]
    pub(super) fn of(path: &Path) -> Result<Self, LogError> {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = std::fs::metadata(path).map_err(|error| io(path, &error))?;
        Ok(Self { device: metadata.dev(), inode: metadata.ino() })
    }

    /// Elsewhere an open file can't be replaced, so that it is enough that there is one.
    #[cfg(not(unix))]
    pub(super) fn of(path: &Path) -> Result<Self, LogError> {
        std::fs::metadata(path).map(|_| Self {}).map_err(|error| io(path, &error))
    }

    /// As text, to be compared by another copy of this code.
    #[cfg(target_os = "linux")]
    pub(super) fn text(self) -> String {
        format!("{}-{}", self.device, self.inode)
    }
}

/// What is to be seen of a file from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) id: FileId,
    pub(super) links: u64,
    /// Whether the file is what something was mounted on: the usual slip with containers.
    pub(super) is_mount_point: bool,
}

impl Seen {
    /// Looks at the file that a path names.
    #[cfg(target_os = "linux")]
    pub(super) fn of(path: &Path) -> Result<Self, LogError> {
        use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, makedev, statx};
        match statx(CWD, path, AtFlags::empty(), StatxFlags::BASIC_STATS) {
            Ok(found) => {
                let is_mount_point = match found.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT) {
                    true => found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
                    false => is_in_mounts(path),
                };
                let device = makedev(found.stx_dev_major, found.stx_dev_minor);
                Ok(Self { id: FileId { device, inode: found.stx_ino }, links: found.stx_nlink.into(), is_mount_point })
            }
            // Before Linux 4.11, and where a sandbox does not let it pass.
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {
                use std::os::unix::fs::MetadataExt as _;
                let metadata = std::fs::metadata(path).map_err(|error| io(path, &error))?;
                let id = FileId { device: metadata.dev(), inode: metadata.ino() };
                Ok(Self { id, links: metadata.nlink(), is_mount_point: is_in_mounts(path) })
            }
            Err(error) => Err(io(path, &error.into())),
        }
    }

    #[cfg(all(unix, not(target_os = "linux")))]
    pub(super) fn of(path: &Path) -> Result<Self, LogError> {
        use std::os::unix::fs::MetadataExt as _;
        let links = std::fs::metadata(path).map_err(|error| io(path, &error))?.nlink();
        Ok(Self { id: FileId::of(path)?, links, is_mount_point: false })
    }

    #[cfg(not(unix))]
    pub(super) fn of(path: &Path) -> Result<Self, LogError> {
        Ok(Self { id: FileId::of(path)?, links: 1, is_mount_point: false })
    }

    /// What whoever runs the log should know of it.
    pub(super) fn note(self) -> Option<Note> {
        match (self.is_mount_point, self.links) {
            (true, _) => Some(Note::MountPoint),
            (false, 2..) => Some(Note::SeveralNames),
            (false, _) => None,
        }
    }
}

/// Refuses a file that others may know by another name: SQLite keeps what was written last in a file beside the name by which
/// it was opened.
pub(super) fn refuse_several_names(path: &Path, seen: Seen, names: SeveralNames) -> Result<(), LogError> {
    let text = || path.display().to_string();
    if seen.is_mount_point && names != SeveralNames::Rescue {
        return Err(LogError::Mounted { path: text() });
    }
    // What lies beside another of its names is neither seen nor saved from here.
    if seen.links > 1 && names != SeveralNames::Allow {
        return Err(LogError::Linked { path: text(), links: seen.links });
    }
    Ok(())
}

/// Makes a file of a lower layer of an overlay one of the upper layer, which has another identity. Opening it for writing would do
/// so too; but closing what was opened would take the locks of whoever else in this process has the file open.
#[cfg(target_os = "linux")]
pub(super) fn copy_up(path: &Path) {
    if kind(path) == Some(OVERLAY)
        && let Ok(metadata) = std::fs::metadata(path)
    {
        // Not ours to change: then opening it will say so, or copy it.
        let _copied = std::fs::set_permissions(path, metadata.permissions());
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn copy_up(_path: &Path) {}

/// The name of the file that SQLite keeps beside another. It goes by the name without symbolic links.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.canonicalize().unwrap_or_else(|_| path.to_owned()).into_os_string();
    name.push(suffix);
    name.into()
}

/// Says what a path names instead of a file, where it is no file: what SQLite would say of it leads nowhere.
pub(super) fn refuse_no_file(path: &Path) -> Result<(), LogError> {
    let fault = match path.metadata() {
        Ok(found) if found.is_dir() => {
            "is a directory; name the file in it that is the log, as in `signoff.db` (a container makes a directory where the file \
             that it mounts is missing)"
        }
        Ok(found) if !found.is_file() => "is no regular file; name another",
        Err(_) if path.is_symlink() => "is a symbolic link that leads to no file; remove it, or put back what it names",
        Ok(_) | Err(_) => return Ok(()),
    };
    Err(LogError::Io { path: path.display().to_string(), fault: fault.to_owned() })
}

/// Which file stands in the way where a log can't be written to: itself, or what SQLite keeps beside it.
pub(super) fn in_the_way(path: &Path) -> PathBuf {
    let beside = ["-wal", "-shm"].map(|suffix| beside(path, suffix));
    let mut found = beside.into_iter().filter(|path| path.exists() && !is_writable(path));
    found.next().filter(|_| is_writable(path)).unwrap_or_else(|| path.to_owned())
}

#[cfg(unix)]
pub(super) fn is_writable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(not(unix))]
pub(super) fn is_writable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.permissions().readonly())
}

/// Whether there is no room left where a path lies, which some file systems report as a fault of the disk.
pub(super) fn is_full(path: &Path) -> bool {
    #[cfg(unix)]
    return rustix::fs::statvfs(folder(path)).is_ok_and(|found| found.f_blocks > 0 && found.f_bavail == 0);
    #[cfg(not(unix))]
    false
}

/// What an error of the file system means for whoever runs the log.
#[allow(clippy::wildcard_enum_match_arm)] // What is not named is told in the system's words.
pub(super) fn io(path: &Path, error: &std::io::Error) -> LogError {
    use std::io::ErrorKind;
    let text = path.display().to_string();
    match error.kind() {
        ErrorKind::NotFound if folder(path).is_dir() => LogError::Missing { path: text },
        ErrorKind::NotFound | ErrorKind::NotADirectory => LogError::NoDirectory { path: text },
        ErrorKind::PermissionDenied => LogError::Denied { path: text },
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => LogError::Full { path: text },
        ErrorKind::ReadOnlyFilesystem => LogError::ReadOnly { path: text },
        _ => LogError::Io { path: text, fault: error.to_string() },
    }
}

/// Whether the file system that a path lies on can't be written to.
#[cfg(unix)]
pub(super) fn is_read_only(path: &Path) -> bool {
    #[cfg(target_os = "linux")]
    return rustix::fs::statvfs(path).is_ok_and(|found| found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
    #[cfg(not(target_os = "linux"))]
    std::fs::metadata(path).is_ok_and(|found| found.permissions().readonly())
}

#[cfg(not(unix))]
pub(super) fn is_read_only(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.permissions().readonly())
}

/// The folder that a file lies in.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(target_os = "linux")]
const OVERLAY: u32 = 0x794c_7630;
#[cfg(target_os = "linux")]
const FUSE: u32 = 0x6573_5546;

/// The number of the file system that a path lies on, or would.
#[cfg(target_os = "linux")]
fn kind(path: &Path) -> Option<u32> {
    let lies_on = if path.exists() { path } else { folder(path) };
    // The field is signed on some machines, so that only its low 32 bits are the number.
    rustix::fs::statfs(lies_on).ok().and_then(|stat| u32::try_from(i128::from(stat.f_type) & 0xffff_ffff).ok())
}

/// Refuses file systems of other machines: their locks fail, and WAL needs shared memory. What is said of those that may do.
#[cfg(target_os = "linux")]
pub(super) fn refuse_network(path: &Path) -> Result<Option<Note>, LogError> {
    let refused = |kind| Err(LogError::Network { path: path.display().to_string(), kind });
    match kind(path) {
        Some(FUSE) => match fuse_kind(&mounts(), &resolved(path)) {
            Some(kind) => refused(kind),
            None => Ok(Some(Note::UserSpace)),
        },
        Some(OVERLAY) => Ok(Some(Note::Overlay)),
        Some(number) => network_kind(number).map_or(Ok(None), refused),
        None => Ok(None),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn refuse_network(_path: &Path) -> Result<Option<Note>, LogError> {
    Ok(None)
}

/// What this process sees mounted. Source: proc_pid_mountinfo(5).
#[cfg(target_os = "linux")]
fn mounts() -> String {
    std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default()
}

/// A path without symbolic links, also of a file that is not there yet.
#[cfg(target_os = "linux")]
fn resolved(path: &Path) -> PathBuf {
    let in_folder = || Some(folder(path).canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(in_folder).unwrap_or_else(|| path.to_owned())
}

/// Where something is mounted, and the type of its file system, of one line.
#[cfg(target_os = "linux")]
fn mount(line: &str) -> Option<(PathBuf, &str)> {
    let (before, after) = line.split_once(" - ")?;
    // Blanks and the like are written as three octal digits.
    let mut point = Vec::new();
    let mut rest = before.split(' ').nth(4)?.as_bytes();
    while let [byte, more @ ..] = rest {
        match more {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', behind @ ..] if *byte == b'\\' => {
                point.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                rest = behind;
            }
            _ => {
                point.push(*byte);
                rest = more;
            }
        }
    }
    let point = <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(point);
    Some((point.into(), after.split(' ').next()?))
}

/// Whether something is mounted on this very path.
#[cfg(target_os = "linux")]
fn is_in_mounts(path: &Path) -> bool {
    let path = resolved(path);
    mounts().lines().filter_map(mount).any(|(point, _)| point == path)
}

/// Which file system in user space has its files on another machine, or shares them with one.
#[cfg(target_os = "linux")]
fn fuse_kind(mounts: &str, path: &Path) -> Option<&'static str> {
    const ELSEWHERE: [(&str, &str); 10] = [
        ("virtiofs", "virtiofs, as for the folders of Docker Desktop's host"),
        ("fuse.grpcfuse", "gRPC FUSE, as for the folders of Docker Desktop's host"),
        ("fuse.osxfs", "osxfs, as for the folders of Docker Desktop's host"),
        ("fakeowner", "fakeowner, as for the folders of Docker Desktop's host"),
        ("fuse.sshfs", "SSHFS"),
        ("fuse.glusterfs", "GlusterFS"),
        ("fuse.ceph", "Ceph"),
        ("fuse.s3fs", "s3fs"),
        ("fuse.gcsfuse", "gcsfuse"),
        ("fuse.rclone", "rclone"),
    ];
    // The innermost mount, and of several on one place the last.
    let holds = mounts.lines().filter_map(mount).filter(|(point, _)| path.starts_with(point));
    let (_, name) = holds.max_by_key(|(point, _)| point.as_os_str().len())?;
    ELSEWHERE.into_iter().find(|(known, _)| *known == name).map(|(_, kind)| kind)
}

/// The numbers that Linux gives to file systems of other machines. Source: statfs(2).
#[cfg(target_os = "linux")]
fn network_kind(number: u32) -> Option<&'static str> {
    match number {
        0x6969 => Some("NFS"),
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => Some("SMB"),
        0x00c3_6400 => Some("Ceph"),
        0x5346_414f | 0x6b41_4653 => Some("AFS"),
        0x0102_1997 => Some("9P"),
        0x0bd0_0bd0 => Some("Lustre"),
        0x7375_7245 => Some("Coda"),
        0x564c => Some("NCP"),
        0x4750_4653 | 0x4750_4654 => Some("GPFS"),
        0x013f_1bfd => Some("GFS2"),
        _ => None,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn file_systems_of_other_machines_are_told_from_local_ones() {
        assert_eq!((network_kind(0x6969), network_kind(0xff53_4d42)), (Some("NFS"), Some("SMB")));
        // ext4, tmpfs, xfs, btrfs, overlayfs.
        for local in [0xef53, 0x0102_1994, 0x5846_5342, 0x9123_683e, 0x794c_7630] {
            assert_eq!(network_kind(local), None);
        }
    }

    #[test]
    fn file_systems_in_user_space_are_told_apart_by_where_their_files_are() {
        let mounts = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw\n\
                      40 22 0:33 / /app rw - virtiofs shared rw\n\
                      41 22 0:34 / /mnt/two\\040words rw - fuse.sshfs me@there:/ rw\n\
                      42 22 0:35 / /mnt rw - fuse.mergerfs a:b rw\n\
                      43 40 0:36 / /app/own rw - ext4 /dev/vdb rw\n";
        let kind = |path| fuse_kind(mounts, Path::new(path));
        assert!(kind("/app/signoff.db").unwrap().contains("Docker Desktop"));
        assert_eq!(kind("/mnt/two words/signoff.db"), Some("SSHFS"));
        for local in ["/mnt/signoff.db", "/signoff.db", "/application/signoff.db", "/app/own/signoff.db"] {
            assert_eq!(kind(local), None, "{local}");
        }
    }
}
