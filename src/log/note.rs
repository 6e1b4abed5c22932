//! What whoever runs a log should know of it, though it works.

/// Why a log is in danger that works. `health` tells it, and no token is answered otherwise for it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    /// The file has got another name since it was opened.
    #[error(
        "the log's file has several names (hard links): who opens another of them does not see what is recorded here"
    )]
    SeveralNames,
    /// Something was mounted on the file since it was opened.
    #[error("the log's file is a mount point itself: who opens it elsewhere does not see what is recorded here")]
    MountPoint,
    /// The file lies on a container's own layer.
    #[error("the log lies in a container's own layer, and ends with the container: mount a folder for it")]
    Overlay,
    /// The file lies on a file system in user space.
    #[error("the log lies on a file system in user space (FUSE): see that it has locks and shared memory")]
    UserSpace,
}

impl Note {
    #[cfg(any(feature = "sqlite", feature = "sqlite-system"))]
    pub(crate) const ALL: [Self; 4] = [Self::SeveralNames, Self::MountPoint, Self::Overlay, Self::UserSpace];
}
