//! Which version of the library this is.

use std::ffi::{CStr, c_char};

/// The major version of this header.
pub const SIGNOFF_VERSION_MAJOR: u32 = 0;
/// The minor version of this header.
pub const SIGNOFF_VERSION_MINOR: u32 = 1;
/// The patch version of this header.
pub const SIGNOFF_VERSION_PATCH: u32 = 0;
/// The version of this header as one number: major * 1000000 + minor * 1000 + patch.
pub const SIGNOFF_VERSION_NUMBER: u32 = 1000;

const _: () = {
    assert!(
        SIGNOFF_VERSION_NUMBER
            == SIGNOFF_VERSION_MAJOR * 1_000_000 + SIGNOFF_VERSION_MINOR * 1000 + SIGNOFF_VERSION_PATCH
    );
};

/// The version of the library that is loaded, which may be newer than the header. Static, ends in NUL.
#[unsafe(no_mangle)]
pub extern "C" fn signoff_version() -> *const c_char {
    const TEXT: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(text) => text,
        Err(_) => c"",
    };
    TEXT.as_ptr()
}

/// The version of the library that is loaded, as SIGNOFF_VERSION_NUMBER counts.
#[unsafe(no_mangle)]
pub extern "C" fn signoff_version_number() -> u32 {
    SIGNOFF_VERSION_NUMBER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_in_the_header_is_the_package_version() {
        let parts = [SIGNOFF_VERSION_MAJOR, SIGNOFF_VERSION_MINOR, SIGNOFF_VERSION_PATCH];
        let text = parts.map(|part| part.to_string()).join(".");
        assert_eq!(text, env!("CARGO_PKG_VERSION"));
        let header = include_str!("../../include/signoff.h");
        assert!(header.contains(&format!("#define SIGNOFF_VERSION \"{text}\"\n")));
    }
}
