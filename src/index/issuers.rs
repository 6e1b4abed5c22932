//! The issuers that records name, so that settling one does not hash it: most logs have few.
//!
//! Slots are filled once and never changed, so that readers never wait.

use std::sync::OnceLock;

use crate::revocation::{IssuerMark, IssuerRef, Salt};

/// How many issuers are known by name; of others the hash is made when it is needed.
const KNOWN_MAX: usize = 8;

#[derive(Default)]
pub(super) struct Issuers {
    known: [OnceLock<Known>; KNOWN_MAX],
}

struct Known {
    mark: IssuerMark,
    name: Box<str>,
}

impl Issuers {
    /// Learns the issuer of a record, while there is room.
    pub(super) fn learn(&self, salt: &Salt, issuer: IssuerRef<'_>) {
        let IssuerRef::Named(name) = issuer else { return };
        for slot in &self.known {
            // Made only where the slot is free; another thread may fill it first.
            let known = slot.get_or_init(|| Known { mark: salt.mark(Some(name)), name: name.into() });
            if *known.name == *name {
                return;
            }
        }
    }

    /// The mark of a token's issuer.
    #[inline]
    pub(super) fn mark(&self, salt: &Salt, iss: Option<&str>) -> IssuerMark {
        let known = self.known.iter().map_while(OnceLock::get).find(|known| iss == Some(&*known.name));
        known.map_or_else(|| salt.mark(iss), |known| known.mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_has_one_mark_whether_it_is_known_or_not() {
        let (salt, issuers) = (Salt::new(&[9; 16]), Issuers::default());
        let names: Vec<_> = (0..20).map(|n| format!("https://{n}.example")).collect();
        for name in &names {
            issuers.learn(&salt, IssuerRef::Named(name));
        }
        for name in names.iter().map(String::as_str).chain(["", "unheard of"]) {
            assert_eq!(issuers.mark(&salt, Some(name)), salt.mark(Some(name)), "{name}");
        }
        assert_eq!(issuers.mark(&salt, None), salt.mark(None));
    }
}
