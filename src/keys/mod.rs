//! Keys, key sets and signatures.
//!
//! A key has exactly one algorithm, fixed when it is loaded; a token's header only chooses among
//! keys. Knows nothing of claims. Invariant: `crypto.rs` is the only file of the crate that names
//! the cryptography crates, and a `SignatureValid` is made only after it has said yes.

mod algorithm;
mod authentic;
pub(crate) mod crypto;
mod jwk;
mod key;
mod key_set;
mod mistaken;

pub use algorithm::Algorithm;
pub use authentic::{AuthenticToken, SignatureValid};
pub use key::Key;
pub use key_set::KeySet;

pub(crate) use key_set::Candidates;
