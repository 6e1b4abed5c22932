//! The claims that the engine knows by name.

use crate::token::json::JsonString;

/// The claims that the engine acts on whatever the policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registered {
    Exp,
    Nbf,
    Iat,
    Iss,
    Sub,
    Aud,
    Jti,
    /// OpenID Connect Front-Channel Logout 1.0 section 3.
    Sid,
    /// RFC 7800 section 3.1.
    Cnf,
    /// Our own: the latest cut-off that the token's signer knew.
    KnownCutOff,
}

/// The name of the claim by which [`Engine::sign`](crate::Engine::sign) says that it knew a cut-off. Long enough that nobody
/// else's claim has it.
pub(crate) const KNOWN_CUT_OFF: &str = "signoff_after";

impl Registered {
    /// In the order in which faults in them are reported.
    pub(super) const ALL: [Self; 10] = [
        Self::Exp,
        Self::Nbf,
        Self::Iat,
        Self::Iss,
        Self::Sub,
        Self::Aud,
        Self::Jti,
        Self::Sid,
        Self::Cnf,
        Self::KnownCutOff,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Exp => "exp",
            Self::Nbf => "nbf",
            Self::Iat => "iat",
            Self::Iss => "iss",
            Self::Sub => "sub",
            Self::Aud => "aud",
            Self::Jti => "jti",
            Self::Sid => "sid",
            Self::Cnf => "cnf",
            Self::KnownCutOff => KNOWN_CUT_OFF,
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|claim| claim.name() == name)
    }

    #[inline]
    pub(super) fn of(name: JsonString<'_>) -> Option<Self> {
        if name.is_escaped() {
            return Self::ALL.into_iter().find(|claim| name.is(claim.name()));
        }
        // All but one have three letters, which makes one comparison of numbers out of each.
        let &[a, b, c] = name.slice.bytes() else {
            return (name.slice.bytes() == KNOWN_CUT_OFF.as_bytes()).then_some(Self::KnownCutOff);
        };
        const fn letters(name: &[u8; 3]) -> u32 {
            u32::from_le_bytes([name[0], name[1], name[2], 0])
        }
        const EXP: u32 = letters(b"exp");
        const NBF: u32 = letters(b"nbf");
        const IAT: u32 = letters(b"iat");
        const ISS: u32 = letters(b"iss");
        const SUB: u32 = letters(b"sub");
        const AUD: u32 = letters(b"aud");
        const JTI: u32 = letters(b"jti");
        const SID: u32 = letters(b"sid");
        const CNF: u32 = letters(b"cnf");
        match letters(&[a, b, c]) {
            EXP => Some(Self::Exp),
            NBF => Some(Self::Nbf),
            IAT => Some(Self::Iat),
            ISS => Some(Self::Iss),
            SUB => Some(Self::Sub),
            AUD => Some(Self::Aud),
            JTI => Some(Self::Jti),
            SID => Some(Self::Sid),
            CNF => Some(Self::Cnf),
            _ => None,
        }
    }
}
