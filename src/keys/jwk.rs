//! JWK and JWKS documents. RFC 7517.
//!
//! Error texts give places, never contents: the content is a secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::key::{Roles, ShortSecrets};
use super::{Algorithm, Key};
use crate::error::{KeyError, SkippedKey};
use crate::limits::KEY_ID_BYTES_MAX;

/// A member that is `null` is malformed, and not absent: the key would do for everything by a slip.
#[derive(Deserialize)]
struct Jwk {
    #[serde(default, deserialize_with = "present")]
    alg: Option<String>,
    #[serde(default, deserialize_with = "present")]
    kid: Option<String>,
    #[serde(default, rename = "use", deserialize_with = "present")]
    usage: Option<String>,
    #[serde(default, deserialize_with = "present")]
    key_ops: Option<Vec<String>>,
    k: Zeroizing<String>,
}

fn present<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct KeyType {
    kty: String,
}

#[derive(Deserialize)]
struct Jwks<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl Key {
    /// A key from a JWK of type `oct` that names its algorithm. RFC 7517, RFC 7518 section 6.4.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] and [`KeyError::Unsupported`], and those of [`hmac`](Self::hmac).
    pub fn from_jwk(json: &str) -> Result<Self, KeyError> {
        key(json, None, ShortSecrets::Refuse)
    }

    /// A key from a JWK that leaves its algorithm open, as RFC 7517 section 4.4 allows.
    ///
    /// # Errors
    /// Those of [`from_jwk`](Self::from_jwk); and [`KeyError::Unsupported`] if the JWK does name an
    /// algorithm, and another one.
    pub fn from_jwk_for(algorithm: Algorithm, json: &str) -> Result<Self, KeyError> {
        key(json, Some(algorithm), ShortSecrets::Refuse)
    }
}

/// Reads one JWK, which has to be usable.
pub(super) fn key(json: &str, algorithm: Option<Algorithm>, short: ShortSecrets) -> Result<Key, KeyError> {
    one("JWK", json, algorithm, short)
}

/// Reads a JWKS: its usable keys, and those that are passed over. RFC 7517 section 5.
///
/// # Errors
/// [`KeyError::Malformed`] for what is no JWKS. Where no key is left, the fault of a secret, if there is one.
pub(super) fn key_set(json: &str, short: ShortSecrets) -> Result<(Vec<Key>, Vec<SkippedKey>), KeyError> {
    let jwks: Jwks<'_> = serde_json::from_str(json).map_err(|error| malformed("JWKS", json, &error))?;
    let (mut keys, mut skipped) = (Vec::new(), Vec::new());
    for (place, jwk) in jwks.keys.iter().enumerate() {
        match one(&format!("JWKS, key {place} (counted from 0)"), jwk.get(), None, short) {
            Ok(key) => keys.push(key),
            Err(reason) => skipped.push(SkippedKey::of(place, jwk.get(), reason)),
        }
    }
    match skipped.iter().find(|key| key.is_secret).filter(|_| keys.is_empty()) {
        Some(secret) => Err((*secret.reason).clone()),
        None => Ok((keys, skipped)),
    }
}

impl SkippedKey {
    fn of(place: usize, json: &str, reason: KeyError) -> Self {
        let Shape { key_id, is_secret, is_for_something_else } = Shape::of(json);
        Self { place, key_id, is_secret: is_secret && !is_for_something_else, reason: Box::new(reason) }
    }
}

/// What can be told of a member of a set, whatever is wrong with it.
struct Shape {
    key_id: Option<String>,
    /// It says that it is a secret, or has one without saying so.
    is_secret: bool,
    /// Its use or operations are not signatures.
    is_for_something_else: bool,
}

impl Shape {
    fn of(json: &str) -> Self {
        /// The names alone, so that a secret is not copied. A name that is there twice counts as its first.
        #[derive(Default)]
        struct Members {
            kty: Option<String>,
            kid: Option<String>,
            alg: Option<String>,
            usage: Option<String>,
            ops: Option<Vec<String>>,
            has_k: bool,
        }
        impl<'de> Deserialize<'de> for Members {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_map(Self::default())
            }
        }
        impl<'de> serde::de::Visitor<'de> for Members {
            type Value = Self;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
                while let Some(name) = map.next_key::<String>()? {
                    let value: &RawValue = map.next_value()?;
                    let text = || serde_json::from_str(value.get()).ok();
                    match name.as_str() {
                        "kty" if self.kty.is_none() => self.kty = text(),
                        "kid" if self.kid.is_none() => self.kid = text(),
                        "alg" if self.alg.is_none() => self.alg = text(),
                        "use" if self.usage.is_none() => self.usage = text(),
                        "key_ops" if self.ops.is_none() => self.ops = serde_json::from_str(value.get()).ok(),
                        "k" => self.has_k = true,
                        _ => {}
                    }
                }
                Ok(self)
            }
        }
        let Members { kty, kid, alg, usage, ops, has_k } = serde_json::from_str(json).unwrap_or_default();
        // Encryption has algorithms of its own. RFC 7518 section 4.1.
        const ENCRYPTION: [&str; 5] = ["A128", "A192", "A256", "PBES2", "dir"];
        let has_other_algorithm = alg.is_some_and(|alg| ENCRYPTION.iter().any(|front| alg.starts_with(front)));
        let is_for_something_else = has_other_algorithm
            || usage.is_some_and(|usage| usage != SIGNATURES)
            || ops.is_some_and(|ops| !may_verify(&ops) && !may_sign(&ops));
        Self { key_id: kid, is_secret: has_k || kty.is_some_and(|kty| kty == SECRET), is_for_something_else }
    }
}

/// `kty` of a secret, and `use` of signatures. RFC 7518 section 6.4, RFC 7517 section 4.2.
const SECRET: &str = "oct";
const SIGNATURES: &str = "sig";

fn may_verify(ops: &[String]) -> bool {
    ops.iter().any(|op| op == "verify")
}

fn may_sign(ops: &[String]) -> bool {
    ops.iter().any(|op| op == "sign")
}

fn one(place: &str, json: &str, algorithm: Option<Algorithm>, short: ShortSecrets) -> Result<Key, KeyError> {
    let unsupported = |fault: &str| KeyError::Unsupported { place: place.to_owned(), fault: fault.to_owned() };
    let wrong = |fault: &str| KeyError::Malformed { place: place.to_owned(), fault: fault.to_owned() };

    let KeyType { kty } = serde_json::from_str(json).map_err(|error| malformed(place, json, &error))?;
    if kty != SECRET {
        return Err(unsupported("its key type (kty) is not oct, the only one supported so far"));
    }
    let jwk: Jwk = serde_json::from_str(json).map_err(|error| malformed(place, json, &error))?;
    // RFC 7517 section 4.3.
    let has_twice = |ops: &[String]| ops.iter().enumerate().any(|(at, op)| ops[..at].contains(op));
    if jwk.key_ops.as_deref().is_some_and(has_twice) {
        return Err(wrong("its key_ops have one operation twice"));
    }
    let is_other = |op: &String| op != "sign" && op != "verify";
    let is_signatures = jwk.usage.as_deref() == Some(SIGNATURES);
    if is_signatures && jwk.key_ops.as_ref().is_some_and(|ops| ops.iter().any(is_other)) {
        return Err(wrong("its use and its key_ops say different things"));
    }
    if jwk.usage.is_some_and(|usage| usage != SIGNATURES) {
        return Err(unsupported("its use is not sig"));
    }
    let roles = jwk.key_ops.map_or(Roles::Both, |ops| match (may_verify(&ops), may_sign(&ops)) {
        (true, false) => Roles::Verify,
        (false, true) => Roles::Sign,
        (true, true) => Roles::Both,
        (false, false) => Roles::Neither,
    });
    if roles == Roles::Neither {
        return Err(unsupported("its key_ops are neither verify nor sign"));
    }
    let named = match &jwk.alg {
        Some(name) => {
            Some(Algorithm::from_name(name).ok_or_else(|| unsupported("its alg is not HS256, HS384 or HS512"))?)
        }
        None => None,
    };
    let algorithm = match (named, algorithm) {
        (Some(named), Some(wanted)) if named != wanted => {
            return Err(unsupported("its alg is not the one that was asked for"));
        }
        (Some(one), _) | (None, Some(one)) => one,
        (None, None) => return Err(wrong("it has no alg, and a key must be pinned to one: add \"alg\":\"HS256\"")),
    };
    let mut secret = Zeroizing::new(vec![0; jwk.k.len() + 3]);
    let len = URL_SAFE_NO_PAD.decode_slice(jwk.k.as_bytes(), &mut secret);
    let len = len.map_err(|_| wrong("its k is not base64url without padding"))?;
    let key = Key::hmac_of(algorithm, &secret[..len], short)?.restricted_to(roles);
    match jwk.kid {
        Some(kid) if kid.len() > KEY_ID_BYTES_MAX => {
            Err(KeyError::TooLong { what: "key id", bytes: kid.len(), max: KEY_ID_BYTES_MAX })
        }
        Some(kid) => Ok(key.with_key_id(kid)),
        None => Ok(key),
    }
}

/// What is wrong with a JSON text, in words that show nothing of it but the names that RFC 7517 has.
fn malformed(place: &str, json: &str, error: &serde_json::Error) -> KeyError {
    const TEXTS: [&str; 5] = ["kty", "alg", "kid", "use", "k"];
    let known = |said: &str, front: &str| {
        let name = said.strip_prefix(front)?.split('`').next()?;
        TEXTS.into_iter().chain(["key_ops", "keys"]).find(|known| *known == name)
    };
    let members: std::collections::HashMap<&str, &RawValue> = serde_json::from_str(json).unwrap_or_default();
    let of_wrong_type =
        TEXTS.into_iter().find(|name| members.get(name).is_some_and(|value| !value.get().starts_with('"')));
    let said = error.to_string();
    let at = format!("(line {}, column {})", error.line(), error.column());
    let fault = match (error.is_data(), known(&said, "missing field `"), known(&said, "duplicate field `")) {
        (false, ..) => format!("is not JSON {at}"),
        (true, Some(name), _) => format!("it has no {name}"),
        (true, _, Some(name)) => format!("it has the member {name} twice"),
        (true, None, None) => match of_wrong_type {
            Some(name) => format!("its {name} is not a text"),
            None => format!("it or one of its members is of the wrong type {at}"),
        },
    };
    KeyError::Malformed { place: place.to_owned(), fault }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeySet;

    const K32: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    fn jwk(members: &str) -> Result<Key, KeyError> {
        Key::from_jwk(&format!("{{\"kty\":\"oct\",\"k\":\"{K32}\"{members}}}"))
    }

    #[test]
    fn a_jwk_gives_the_key_that_its_bytes_give() {
        let key = jwk(r#","alg":"HS256","kid":"a","use":"sig","key_ops":["verify"]"#).unwrap();
        assert_eq!((key.algorithm(), key.key_id()), (Algorithm::Hs256, Some("a")));
        let secret: Vec<u8> = (0..32).collect();
        let signature = Key::hmac(Algorithm::Hs256, &secret).unwrap().sign(b"x");
        key.verify(b"x", signature.as_ref()).unwrap();
    }

    #[test]
    fn a_jwk_without_an_algorithm_needs_one_from_the_caller() {
        assert!(matches!(jwk(""), Err(KeyError::Malformed { .. })));
        let json = format!("{{\"kty\":\"oct\",\"k\":\"{K32}\"}}");
        assert_eq!(Key::from_jwk_for(Algorithm::Hs256, &json).unwrap().algorithm(), Algorithm::Hs256);
        let json = format!("{{\"kty\":\"oct\",\"k\":\"{K32}\",\"alg\":\"HS384\"}}");
        assert!(matches!(Key::from_jwk_for(Algorithm::Hs256, &json), Err(KeyError::Unsupported { .. })));
    }

    #[test]
    fn a_jwk_that_is_no_key_of_ours_says_why() {
        assert!(matches!(jwk(r#","alg":"HS256","use":"enc""#), Err(KeyError::Unsupported { .. })));
        assert!(matches!(jwk(r#","alg":"A128KW""#), Err(KeyError::Unsupported { .. })));
        assert!(matches!(jwk(r#","alg":"HS256","key_ops":["encrypt"]"#), Err(KeyError::Unsupported { .. })));
        assert!(matches!(jwk(r#","alg":"HS512""#), Err(KeyError::TooShort { bytes: 32, min: 64, .. })));
        assert!(matches!(jwk(r#","alg":"HS256","alg":"HS256""#), Err(KeyError::Malformed { .. })));
        for json in ["", "{}", "[]", r#"{"kty":"oct"}"#, r#"{"kty":"oct","alg":"HS256","k":"A="}"#] {
            assert!(matches!(Key::from_jwk(json), Err(KeyError::Malformed { .. })), "{json}");
        }
        assert!(matches!(Key::from_jwk(r#"{"kty":"oct","alg":"HS256","k":""}"#), Err(KeyError::Empty)));
    }

    #[test]
    fn a_jwks_passes_over_strangers_and_says_which() {
        let json = format!(
            r#"{{"keys":[{{"kty":"RSA","n":"AQAB","e":"AQAB","kid":7}},{{"kty":"oct","alg":"HS256","k":"{K32}","kid":"a"}},{{"kty":"EC"}}]}}"#
        );
        let set = KeySet::from_jwks(&json).unwrap();
        assert_eq!((set.keys().len(), set.skipped().len()), (1, 2));
        assert!(set.skipped().iter().all(|key| !key.is_secret()));
        for json in [r#"{"keys":[{"kty":"RSA"}]}"#, r#"{"keys":[{}]}"#, r#"{"keys":[7]}"#, r#"{"keys":[]}"#] {
            assert!(matches!(KeySet::from_jwks(json), Err(KeyError::NoKeys { .. })), "{json}");
        }
        assert!(matches!(KeySet::from_jwks(r#"{"keys":{}}"#), Err(KeyError::Malformed { .. })));
    }

    #[test]
    fn one_bad_member_is_passed_over_with_its_place_key_id_and_reason() {
        for (member, key_id, reason, is_secret) in [
            (r#"{"kid":"b","n":"AQAB"}"#.to_owned(), Some("b"), "it has no kty", false),
            (format!(r#"{{"kid":"b","alg":"HS256","k":"{K32}"}}"#), Some("b"), "it has no kty", true),
            (r#"{"kty":"oct","kid":"b","alg":"HS256"}"#.to_owned(), Some("b"), "it has no k", true),
            (format!(r#"{{"kty":"oct","kid":"b","k":"{K32}"}}"#), Some("b"), "it has no alg", true),
            (r#"{"kty":"oct","alg":"HS256","k":"YQ"}"#.to_owned(), None, "the secret is 1 bytes long", true),
            (format!(r#"{{"kty":"oct","alg":"HS256","k":"{K32}="}}"#), None, "without padding", true),
            (format!(r#"{{"kty":"oct","alg":"HS256","k":"{K32}","kid":7}}"#), None, "its kid is not a text", true),
            (format!(r#"{{"kty":"oct","alg":"HS265","k":"{K32}"}}"#), None, "its alg is not", true),
            (
                format!(r#"{{"kty":"oct","alg":"HS256","alg":"HS256","k":"{K32}","kid":"b"}}"#),
                Some("b"),
                "it has the member alg twice",
                true,
            ),
            (
                format!(r#"{{"kty":"oct","alg":"HS256","k":"{K32}","kid":"{}"}}"#, "x".repeat(257)),
                None,
                "257 bytes",
                true,
            ),
            (format!(r#"{{"kty":"oct","alg":"HS256","k":"{K32}","use":"enc"}}"#), None, "its use is not sig", false),
            (format!(r#"{{"kty":"oct","alg":"HS256","k":"{K32}","key_ops":["decrypt"]}}"#), None, "its key_ops", false),
            (format!(r#"{{"kty":"oct","alg":"HS256","k":"{K32}","use":null}}"#), None, "its use is not a text", true),
            (format!(r#"{{"kty":"oct","alg":"HS256","k":"{K32}","key_ops":null}}"#), None, "wrong type", true),
            (format!(r#"{{"kty":"oct","alg":"HS256","k":"{K32}","key_ops":["sign","sign"]}}"#), None, "twice", true),
            (
                format!(r#"{{"kty":"oct","alg":"HS256","k":"{K32}","use":"sig","key_ops":["verify","wrapKey"]}}"#),
                None,
                "say different things",
                true,
            ),
            ("7".to_owned(), None, "wrong type", false),
        ] {
            let json = format!(r#"{{"keys":[{member},{{"kty":"oct","alg":"HS256","k":"{K32}","kid":"a"}}]}}"#);
            let set = KeySet::from_jwks(&json).unwrap();
            let [skipped] = set.skipped() else { panic!("{member}") };
            let said = skipped.to_string();
            assert_eq!((skipped.place(), skipped.is_secret()), (0, is_secret), "{said}");
            assert!(said.contains(reason) && !said.contains(K32), "{said}");
            if let Some(key_id) = key_id {
                assert_eq!(skipped.key_id(), Some(key_id));
            }
            assert_eq!(set.keys()[0].key_id(), Some("a"));
        }
    }

    #[test]
    fn two_keys_with_one_id_are_refused_unless_their_algorithms_differ() {
        let json = |first: &str, second: &str| {
            let key = |alg| format!(r#"{{"kty":"oct","kid":"a","alg":"{alg}","k":"{K32}{K32}"}}"#);
            format!(r#"{{"keys":[{},{}]}}"#, key(first), key(second))
                .replace(&format!("{K32}{K32}"), &"AAAA".repeat(22))
        };
        assert!(matches!(KeySet::from_jwks(&json("HS256", "HS256")), Err(KeyError::Duplicate { .. })));
        assert_eq!(KeySet::from_jwks(&json("HS256", "HS384")).unwrap().keys().len(), 2);
    }

    #[test]
    fn a_short_secret_in_a_jwks_is_refused_unless_it_is_allowed_by_name() {
        for k in ["YQ", "YWI", "YWJj"] {
            let json = format!(r#"{{"keys":[{{"kty":"oct","alg":"HS256","k":"{k}"}}]}}"#);
            assert!(matches!(KeySet::from_jwks(&json), Err(KeyError::TooShort { .. })), "{k}");
            assert_eq!(KeySet::from_jwks_insecure_allow_short(&json).unwrap().keys().len(), 1, "{k}");
        }
    }

    #[test]
    fn no_message_shows_a_secret() {
        for json in [
            r#"{"kty":"oct","alg":"HS256","k":"c2VjcmV0c2VjcmV0"}"#,
            r#"{"kty":"oct","alg":["c2VjcmV0c2VjcmV0"],"k":"c2VjcmV0c2VjcmV0"}"#,
            r#"{"kty":"oct","alg":"HS256","k":"c2VjcmV0c2VjcmV0!"}"#,
        ] {
            let error = Key::from_jwk(json).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("c2VjcmV0"), "{error}");
        }
    }
}
