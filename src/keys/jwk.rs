//! JWK and JWKS documents. RFC 7517.
//!
//! Error texts give places, never contents: the content is a secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::key::ShortSecrets;
use super::{Algorithm, Key};
use crate::error::KeyError;

#[derive(Deserialize)]
struct Jwk {
    alg: Option<String>,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    k: Zeroizing<String>,
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

/// Reads a JWKS: its usable keys, and how many were passed over.
pub(super) fn key_set(json: &str, short: ShortSecrets) -> Result<(Vec<Key>, usize), KeyError> {
    let jwks: Jwks<'_> = serde_json::from_str(json).map_err(|error| malformed("JWKS", &error))?;
    let (mut keys, mut skipped) = (Vec::new(), 0);
    for (at, jwk) in jwks.keys.iter().enumerate() {
        match one(&format!("JWKS, key {at} (counted from 0)"), jwk.get(), None, short) {
            Ok(key) => keys.push(key),
            Err(KeyError::Unsupported { .. }) => skipped += 1,
            Err(error) => return Err(error),
        }
    }
    Ok((keys, skipped))
}

fn one(place: &str, json: &str, algorithm: Option<Algorithm>, short: ShortSecrets) -> Result<Key, KeyError> {
    let unsupported = |fault: &str| KeyError::Unsupported { place: place.to_owned(), fault: fault.to_owned() };
    let wrong = |fault: &str| KeyError::Malformed { place: place.to_owned(), fault: fault.to_owned() };

    let KeyType { kty } = serde_json::from_str(json).map_err(|error| malformed(place, &error))?;
    if kty != "oct" {
        return Err(unsupported("its key type (kty) is not oct, the only one supported so far"));
    }
    let jwk: Jwk = serde_json::from_str(json).map_err(|error| malformed(place, &error))?;
    if jwk.usage.is_some_and(|usage| usage != "sig") {
        return Err(unsupported("its use is not sig"));
    }
    if jwk.key_ops.is_some_and(|ops| !ops.iter().any(|op| op == "verify" || op == "sign")) {
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
    let key = Key::hmac_of(algorithm, &secret[..len], short)?;
    Ok(match jwk.kid {
        Some(kid) => key.with_key_id(kid),
        None => key,
    })
}

fn malformed(place: &str, error: &serde_json::Error) -> KeyError {
    let fault = match error.is_data() {
        true => "has a member missing, twice or of the wrong type",
        false => "is not JSON",
    };
    KeyError::Malformed {
        place: place.to_owned(),
        fault: format!("{fault} (line {}, column {})", error.line(), error.column()),
    }
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
    fn a_jwks_passes_over_strangers_and_counts_them() {
        let json = format!(
            r#"{{"keys":[{{"kty":"RSA","n":"AQAB","e":"AQAB","kid":7}},{{"kty":"oct","alg":"HS256","k":"{K32}","kid":"a"}},{{"kty":"EC"}}]}}"#
        );
        let set = KeySet::from_jwks(&json).unwrap();
        assert_eq!((set.keys().len(), set.skipped()), (1, 2));
        assert!(matches!(KeySet::from_jwks(r#"{"keys":[{"kty":"RSA"}]}"#), Err(KeyError::NoKeys { skipped: 1 })));
        assert!(matches!(KeySet::from_jwks(r#"{"keys":[{}]}"#), Err(KeyError::Malformed { .. })));
        assert!(matches!(KeySet::from_jwks(r#"{"keys":{}}"#), Err(KeyError::Malformed { .. })));
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
