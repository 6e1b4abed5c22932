//! The native part of the npm package `signoff`: the engine as JavaScript calls it.
//!
//! What JavaScript programmers see is written in JavaScript, in `lib/`. This crate takes checked arguments, calls the
//! public Rust interface, and hands back strings and plain objects. It throws nothing: a fault is an object of its own
//! kind, from which `lib/` makes the error.
//!
//! Invariants: nothing here waits for a disk or a lock on the thread of the event loop; a panic becomes a fault.

mod engine;
mod error;
mod options;
mod outcome_names;
mod payload_cache;
mod promise;
mod revoke;
mod shared_engines;
mod strings;
mod verifier;
