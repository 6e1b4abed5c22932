//! What whoever runs a log should know of it, though it works.

/// Why a log is in danger that works. `health` tells it, and no token is answered otherwise for it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    /// The file has got another name since it was opened.
    #[error(
        "the log's file has several names (hard links): who opens another of them does not see what is recorded here; remove the others, which `find -samefile` lists"
    )]
    SeveralNames,
    /// Something was mounted on the file since it was opened.
    #[error(
        "the log's file is a mount point itself: who opens it elsewhere does not see what is recorded here; mount the folder instead"
    )]
    MountPoint,
    /// The file lies on a container's own layer.
    #[error("the log lies in a container's own layer, and ends with the container: mount a folder for it")]
    Overlay,
    /// The file lies on a file system in user space.
    #[error("the log lies on a file system in user space (FUSE): see that it has locks and shared memory")]
    UserSpace,
    /// The clock of this machine and that of the server that keeps the log differ by more than a minute.
    #[error(
        "the clocks of this machine and of the log's server differ by more than a minute: tokens are judged by the server's, and nothing is collected from here; set the wrong one right"
    )]
    ClocksDiffer,
    /// The server that keeps the log is nearly full.
    #[error(
        "the memory of the log's server is nearly full, after which it takes no log-outs: see what `signoff compact` frees, or raise maxmemory"
    )]
    ServerNearlyFull,
}

impl Note {
    #[cfg(any(feature = "sqlite", feature = "sqlite-system"))]
    pub(crate) const OF_A_FILE: [Self; 4] = [Self::SeveralNames, Self::MountPoint, Self::Overlay, Self::UserSpace];
}
