//! The C ABI: `include/signoff.h` is generated from this folder by cbindgen (`make header`).
//!
//! Job: turns what a C caller passes into calls of the Rust interface, and their results into what a C caller
//! reads. The functions called are public but for `Engine::verify_bytes`, which leaves the claims in place to be copied
//! from. Decides nothing about a token. The comments of exported items are the header's, written for C programmers.
//!
//! # The contract
//!
//! Every exported function relies on these clauses, which the header states, and on nothing else. What of them can
//! be checked is checked, and answered with a status.
//!
//! 1. A pointer to a handle is NULL, or was made by this library and not freed yet.
//! 2. A pointer to a struct is NULL, or points to an aligned struct of the header whose first member says its size.
//! 3. A pointer to text or bytes is NULL with length 0, or can be read for as many bytes as its length says. The same
//!    for arrays, and for what their elements point to.
//! 4. An output pointer is NULL, or can be written; a buffer for as many bytes as its size says. Outputs overlap
//!    neither inputs nor each other.
//! 5. What a call is given stays as it is until the call returns. A `const` pointer may be shared by threads, any
//!    other belongs to one call at a time.
//!
//! Invariant: unsafe code stands here alone: in `call.rs`, where a caller's pointers become references, and as the
//! one line in each exported function that takes the caller's word for the contract. No panic leaves a function.
#![allow(unsafe_code)]
#![allow(non_camel_case_types)] // The names of C, so that a search finds header and source alike.
#![allow(clippy::missing_safety_doc)] // The header states the contract once, for all functions.
#![allow(clippy::missing_errors_doc, clippy::must_use_candidate)] // Written for C.

mod accepted;
mod call;
mod claims;
mod engine;
mod error;
mod fault;
mod fork;
mod health;
mod inputs;
mod keys;
mod listing;
mod log;
mod outputs;
mod policy;
mod revoke;
mod sign;
mod sized;
mod status;
mod str;
mod times;
mod verify;
mod version;

pub use self::str::*;
pub use accepted::*;
pub use claims::*;
pub use engine::*;
pub use error::*;
pub use health::*;
pub use keys::*;
pub use listing::*;
pub use log::*;
pub use policy::*;
pub use revoke::*;
pub use sign::*;
pub use status::*;
pub use times::*;
pub use verify::*;
pub use version::*;
