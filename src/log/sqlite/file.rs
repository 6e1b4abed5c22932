//! The file itself: which one a path names, and whether it lies where locks work.

use std::path::Path;

use super::LogError;

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

/// The folder that a file lies in.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Refuses file systems of other machines: their locks fail, and WAL needs shared memory.
#[cfg(target_os = "linux")]
pub(super) fn refuse_network(path: &Path) -> Result<(), LogError> {
    let lies_on = if path.exists() { path } else { folder(path) };
    let Ok(stat) = rustix::fs::statfs(lies_on) else { return Ok(()) };
    match network_kind(i128::from(stat.f_type)) {
        Some(kind) => Err(LogError::Network { path: path.display().to_string(), kind }),
        None => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn refuse_network(_path: &Path) -> Result<(), LogError> {
    Ok(())
}

/// The numbers that Linux gives to file systems of other machines. Source: statfs(2).
#[cfg(target_os = "linux")]
fn network_kind(number: i128) -> Option<&'static str> {
    // The field is signed on some machines, so that only its low 32 bits are the number.
    match number & 0xffff_ffff {
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
        assert_eq!(
            (network_kind(0x6969), network_kind(i128::from(0xff53_4d42_u32 as i32))),
            (Some("NFS"), Some("SMB"))
        );
        // ext4, tmpfs, xfs, btrfs, overlayfs.
        for local in [0xef53, 0x0102_1994, 0x5846_5342, 0x9123_683e, 0x794c_7630] {
            assert_eq!(network_kind(local), None);
        }
    }
}
