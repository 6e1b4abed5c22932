//! Structs of the header that begin with their own size, so that a caller and a library of different ages notice.

/// A struct of the header that begins with its own size.
///
/// # Safety
/// `repr(C)`, begins with a `u32`, and holds numbers and raw pointers alone, so that all-zero is a value.
pub(super) unsafe trait Sized32: Copy + 'static {
    /// What messages call it.
    const WHAT: &'static str;
    /// The sizes that it had in earlier versions, each of which is the beginning of the next.
    const EARLIER: &'static [usize];
}

macro_rules! sized {
    ($name:ident) => {
        sized!($name, []);
    };
    ($name:ident, $earlier:expr) => {
        // SAFETY: `repr(C)`, and every member is a number, a raw pointer, or a struct of them.
        unsafe impl crate::ffi::sized::Sized32 for $name {
            const WHAT: &'static str = stringify!($name);
            const EARLIER: &'static [usize] = &$earlier;
        }
        const _: () = assert!(std::mem::offset_of!($name, struct_size) == 0);
    };
}
pub(super) use sized;
