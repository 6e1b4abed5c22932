//! The compact form of a JWS: three parts, base64url, strict JSON, the header's parameters.
//!
//! Trusts nothing and knows no keys: whatever leaves this folder is still *unverified*, and the
//! names say so. Bounded by [`limits`](crate::limits); allocates only what the caller lends it.

pub(crate) mod base64url;
mod compact;
pub(crate) mod header;
pub(crate) mod json;
pub(crate) mod prefetch;

pub(crate) use compact::Signature;
pub use compact::UnverifiedToken;
