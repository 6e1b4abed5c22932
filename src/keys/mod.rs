//! Keys, key sets and signatures.
//!
//! A key has exactly one algorithm, fixed when it is loaded; a token's header only chooses among
//! keys. Knows nothing of claims. Invariant: `crypto.rs` is the only file of the crate that names
//! the cryptography crates, and a `SignatureValid` is made only after it has said yes.

mod algorithm;
pub(crate) mod crypto;
mod file_format;
mod jwk;
mod key;
mod key_set;
mod signature;

pub use algorithm::Algorithm;
pub use key::Key;
pub use key_set::KeySet;
pub use signature::{AuthenticToken, SignatureValid};

pub(crate) use key_set::Candidates;
