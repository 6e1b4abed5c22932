//! Tells a key file of some other kind from an HMAC secret.
//!
//! Whoever loads a public key as a secret lets everybody who knows the public key sign. The look
//! is meant to be cheap and to err on the side of a refusal for things no generator of secrets makes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// What kind of key these bytes are, if they are one.
pub(super) fn kind(bytes: &[u8]) -> Option<&'static str> {
    // White space before the armour was enough to get around one such check (CVE-2026-34950).
    if memchr::memmem::find(bytes, b"-----BEGIN ").is_some() {
        return Some("PEM key");
    }
    if is_der(bytes) {
        return Some("DER key");
    }
    let text = std::str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}').trim();
    if text.starts_with("ssh-") || text.starts_with("ecdsa-sha2-") {
        return Some("SSH key");
    }
    if is_jwk(text) {
        return Some("JWK or JWKS");
    }
    // A PEM without its armour, as some consoles show public keys. Both buffers are as long as they can
    // get from the start, so that no copy is left behind where one has grown.
    let mut line = Zeroizing::new(Vec::with_capacity(text.len()));
    line.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let mut decoded = Zeroizing::new(vec![0; text.len() + 3]);
    match STANDARD.decode_slice(&*line, &mut decoded) {
        Ok(len) if is_der(&decoded[..len]) => Some("DER key in base64"),
        Ok(_) | Err(_) => None,
    }
}

/// One DER SEQUENCE that spans the whole and consists of whole elements. The shortest key there is
/// takes 44 bytes; random bytes pass this with a chance of less than one in ten million.
fn is_der(bytes: &[u8]) -> bool {
    let Some((0x30, mut inside, [])) = element(bytes) else { return false };
    if bytes.len() < 44 {
        return false;
    }
    while let Some((_, _, rest)) = element(inside) {
        inside = rest;
    }
    inside.is_empty()
}

/// A DER element: its tag, its content and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk()?;
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (len, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (len.iter().fold(0, |len, &byte| len << 8 | usize::from(byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

fn is_jwk(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Kind {
        kty: Option<serde::de::IgnoredAny>,
        keys: Option<serde::de::IgnoredAny>,
    }
    text.starts_with('{')
        && serde_json::from_str::<Kind>(text).is_ok_and(|kind| kind.kty.is_some() || kind.keys.is_some())
}

#[cfg(test)]
mod tests {
    use super::kind;

    /// An Ed25519 public key (RFC 8410 section 10.1), the shortest DER key there is.
    const SPKI: &str = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

    #[test]
    fn a_key_of_another_kind_is_recognised_in_every_wrapping() {
        let der = base64::Engine::decode(&super::STANDARD, SPKI).unwrap();
        assert_eq!(kind(&der), Some("DER key"));
        assert_eq!(kind(SPKI.as_bytes()), Some("DER key in base64"));
        assert_eq!(kind(format!("{}\n{}\n", &SPKI[..30], &SPKI[30..]).as_bytes()), Some("DER key in base64"));
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{SPKI}\n-----END PUBLIC KEY-----\n");
        for before in ["", " ", "\n\t", "\u{feff}", "Bag Attributes\n"] {
            assert_eq!(kind(format!("{before}{pem}").as_bytes()), Some("PEM key"), "{before:?}");
        }
        assert_eq!(kind(b" {\"kty\":\"oct\",\"k\":\"AAAA\"}"), Some("JWK or JWKS"));
        assert_eq!(kind(b"{\"keys\":[]}"), Some("JWK or JWKS"));
        assert_eq!(kind(b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me"), Some("SSH key"));
    }

    #[test]
    fn a_secret_is_left_alone() {
        let nearly_der: Vec<u8> = [0x30, 46].into_iter().chain([0xff; 46]).collect();
        for secret in [&b"correct horse battery staple, twice over"[..], &[0; 32], &nearly_der, b"{\"a\":1}", b"MCow"] {
            assert_eq!(kind(secret), None, "{secret:?}");
        }
    }
}
