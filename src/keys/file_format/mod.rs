//! Tells a key of some other kind, or a token, from an HMAC secret.
//!
//! Whoever loads a public key as a secret lets everybody who knows the public key sign. The look is meant to err on the side of a
//! refusal for things that no generator of secrets makes.

mod wrappings;

use wrappings::{RUN_MIN, base64_bytes, base64_runs, hex_bytes, is_base64, listed_bytes, percent_decoded, utf16};
use zeroize::Zeroizing;

/// How many wrappings are looked into: base64 of base64 of a PEM is a PEM.
const WRAPPINGS_MAX: u32 = 3;

/// What kind of key these bytes are, if they are one; or that they are a token.
pub(super) fn kind(bytes: &[u8]) -> Option<&'static str> {
    within(bytes, WRAPPINGS_MAX)
}

fn within(bytes: &[u8], wrappings: u32) -> Option<&'static str> {
    let trimmed = trim_end(bytes);
    if is_der(bytes) || is_der(trimmed) || is_der(trimmed.trim_ascii_start()) {
        return Some("DER key");
    }
    if is_ssh_blob(bytes) || bytes.starts_with(b"openssh-key-v1\0") {
        return Some("SSH key");
    }
    if let Some(text) = utf16(bytes) {
        return within(text.as_bytes(), wrappings.checked_sub(1)?);
    }
    let text = std::str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}').trim();
    if let Some(kind) = kind_of_text(text) {
        return Some(kind);
    }
    let wrappings = wrappings.checked_sub(1)?;
    // As consoles show public keys, and as they are put into settings, JSON and environment variables.
    let whole = [base64_bytes(text), hex_bytes(text), listed_bytes(text)].into_iter().flatten();
    whole.chain(percent_decoded(text)).chain(base64_runs(text)).find_map(|decoded| within(&decoded, wrappings))
}

/// Without the white space and zeros that files and buffers end in.
fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| !byte.is_ascii_whitespace() && *byte != 0).map_or(0, |at| at + 1);
    &bytes[..end]
}

fn kind_of_text(text: &str) -> Option<&'static str> {
    // In capitals, so that nothing but the letters counts. White space before the armour was enough to get around one such check
    // (CVE-2026-34950).
    let capitals = Zeroizing::new(text.to_ascii_uppercase());
    if is_armoured(text, &capitals) {
        return Some("PEM key");
    }
    if text.starts_with("PuTTY-User-Key-File-") || text.lines().any(is_ssh_line) {
        return Some("SSH key");
    }
    if is_jwk(text) {
        return Some("JWK or JWKS");
    }
    let is_xml = ["KEYVALUE>", "X509CERTIFICATE", "RSAPARAMETERS>"].iter().any(|name| capitals.contains(name));
    if text.starts_with('<') && is_xml {
        return Some("XML key");
    }
    if text.split(|c: char| !is_of_token(c)).any(is_token) || is_jws_in_json(text) {
        return Some("token");
    }
    const OTHERS: [&str; 7] =
        ["AGE-SECRET-KEY-1", "UNTRUSTED COMMENT:", "K1.PUBLIC.", "K2.PUBLIC.", "K3.PUBLIC.", "K4.PUBLIC.", "DID:KEY:"];
    let is_listing =
        capitals.starts_with("MODULUS=") || (capitals.contains("PUBLIC-KEY: (") && capitals.contains("MODULUS"));
    let is_age = text.len() == 62 && text.starts_with("age1") && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_listing || is_age || OTHERS.iter().any(|front| capitals.starts_with(front))).then_some("key of another kind")
}

/// A PEM, an SSH2 or a PGP armour, whole or half; without its dashes only where something stands in it.
fn is_armoured(text: &str, capitals: &str) -> bool {
    const NEAR: usize = 26;
    if capitals.contains("-----BEGIN") || capitals.contains("-----END") {
        return true;
    }
    let has_body = || text.split(|c: char| !is_base64(c)).any(|run| run.len() >= RUN_MIN);
    let is_named = capitals.match_indices("BEGIN").any(|(at, _)| {
        let behind: Vec<u8> = capitals.bytes().skip(at + "BEGIN".len()).take(NEAR).collect();
        let has = |word: &str| memchr::memmem::find(&behind, word.as_bytes()).is_some();
        let is_word = behind.first().is_some_and(|byte| !byte.is_ascii_alphanumeric());
        is_word && (has("PUBLIC KEY") || has("PRIVATE KEY") || has("CERTIFICATE") || has("PKCS7"))
    });
    is_named && has_body()
}

/// A line of `authorized_keys` or of a `.pub` file: perhaps options or a host, the type, the key.
fn is_ssh_line(line: &str) -> bool {
    let is_type = |word: &str| {
        let word = word.strip_prefix("sk-").unwrap_or(word);
        word.starts_with("ssh-") || word.starts_with("ecdsa-sha2-")
    };
    // Every key in that format begins with the length of its type's name.
    let words = line.split_ascii_whitespace();
    words.clone().zip(words.skip(1)).any(|(word, key)| is_type(word) && key.starts_with("AAAA"))
}

/// What an SSH key's base64 holds: the length of its type's name, and the name.
fn is_ssh_blob(bytes: &[u8]) -> bool {
    let Some((len, rest)) = bytes.split_first_chunk() else { return false };
    let name = usize::try_from(u32::from_be_bytes(*len)).ok().and_then(|len| rest.get(..len));
    name.is_some_and(|name| [&b"ssh-"[..], b"ecdsa-sha2-", b"sk-"].iter().any(|front| name.starts_with(front)))
}

/// DER SEQUENCEs that span the whole, as of a key or a chain of certificates, and consist of whole elements. The shortest key there is
/// takes 44 bytes; random bytes pass this with a chance of less than one in ten million.
fn is_der(mut bytes: &[u8]) -> bool {
    if bytes.len() < 44 {
        return false;
    }
    while let Some((0x30, mut inside, rest)) = element(bytes) {
        while let Some((_, _, rest)) = element(inside) {
            inside = rest;
        }
        if !inside.is_empty() {
            return false;
        }
        bytes = rest;
    }
    bytes.is_empty()
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

/// A JWK or a JWKS at any depth of what may be JSON, in JSON's own text or in another's quotes, whole or cut off.
fn is_jwk(text: &str) -> bool {
    let names = |name: &str| {
        text.match_indices(name).any(|(at, _)| {
            let before = text[..at].ends_with(['"', '\'']);
            let behind = text[at + name.len()..].trim_start_matches('\\');
            before && behind.starts_with(['"', '\''])
        })
    };
    let is_set = || {
        serde_json::from_str::<serde_json::Value>(text)
            .is_ok_and(|value| value.get("keys").is_some_and(serde_json::Value::is_array))
    };
    names("kty") || names("x5c") || (names("n") && names("e")) || (text.starts_with('{') && is_set())
}

fn is_of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.~".contains(c)
}

/// A compact JWS or JWE, also with what an SD-JWT discloses behind it: parts in base64url, the first of which is a JSON object with an
/// algorithm.
fn is_token(text: &str) -> bool {
    let text = text.split('~').next().unwrap_or(text);
    let dots = text.bytes().filter(|byte| *byte == b'.').count();
    let header = text.split('.').next().filter(|_| matches!(dots, 2 | 4)).and_then(base64_bytes);
    let header = header.and_then(|header| serde_json::from_slice::<serde_json::Value>(&header).ok());
    header.is_some_and(|header| header.get("alg").is_some())
}

/// A JWS in JSON. RFC 7515 section 7.2.
fn is_jws_in_json(text: &str) -> bool {
    let is_one = |value: serde_json::Value| {
        value.get("payload").is_some() && (value.get("signature").is_some() || value.get("signatures").is_some())
    };
    text.starts_with('{') && serde_json::from_str(text).is_ok_and(is_one)
}

#[cfg(test)]
mod tests {
    use super::kind;

    /// An Ed25519 public key (RFC 8410 section 10.1), the shortest DER key there is.
    const SPKI: &str = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
    const SSH: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE";

    fn der() -> Vec<u8> {
        base64::Engine::decode(&super::wrappings::LENIENT, SPKI).unwrap()
    }

    fn url_safe(text: &str) -> String {
        text.replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
    }

    #[test]
    fn a_key_of_another_kind_is_recognised_in_every_wrapping() {
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{SPKI}\n-----END PUBLIC KEY-----\n");
        for before in ["", " ", "\n\t", "\u{feff}", "Bag Attributes\n"] {
            assert_eq!(kind(format!("{before}{pem}").as_bytes()), Some("PEM key"), "{before:?}");
        }
        let body = format!("{SPKI}\n{SPKI}");
        for armour in [
            format!("---- BEGIN SSH2 PUBLIC KEY ----\n{SSH}\n---- END SSH2 PUBLIC KEY ----"),
            pem.replace("-----", ""),
            pem.to_lowercase(),
            pem.replace('\n', "\\n"),
            pem.replace(' ', "%20"),
            format!("----BEGIN EC PRIVATE KEY----\n{body}"),
            format!("BEGIN CERTIFICATE\n{body}\nEND CERTIFICATE"),
            format!("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{body}"),
            format!("{{\"type\":\"service_account\",\"private_key\":\"{}\"}}", pem.replace('\n', "\\n")),
        ] {
            assert_eq!(kind(armour.as_bytes()), Some("PEM key"), "{armour}");
        }
    }

    #[test]
    fn bytes_of_a_key_are_recognised_in_every_spelling() {
        let hex = |digit: fn(&u8) -> String, between: &str| der().iter().map(digit).collect::<Vec<_>>().join(between);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{SPKI}\n-----END PUBLIC KEY-----\n");
        let base64 = |bytes: &[u8]| base64::Engine::encode(&super::wrappings::LENIENT, bytes);
        let spelled = [
            SPKI.to_owned(),
            url_safe(SPKI),
            SPKI.trim_end_matches('=').to_owned(),
            format!("{}\n{}\r\n", &SPKI[..30], &SPKI[30..]),
            format!("\"{SPKI}\""),
            format!("'{}'", url_safe(SPKI)),
            hex(|byte| format!("{byte:02x}"), ""),
            hex(|byte| format!("{byte:02X}"), ":"),
            format!("0x{}", hex(|byte| format!("{byte:02x}"), "")),
            base64(pem.as_bytes()),
            url_safe(&base64(pem.as_bytes())),
            base64(SPKI.as_bytes()),
            pem.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ];
        let listed = |between: &str| der().iter().map(u8::to_string).collect::<Vec<_>>().join(between);
        let settings = [
            format!("{{\"realm\":\"m\",\"public_key\":\"{SPKI}\"}}"),
            format!("PUBLIC_KEY={SPKI}"),
            format!("Comment: mine\n{}\n{}", &SPKI[..44], &SPKI[44..]),
            format!("{}\n{}\n-----END PUBLIC KEY-----", &SPKI[..44], &SPKI[44..]),
            format!("{}\\n{}\\n", &SPKI[..44], &SPKI[44..]),
            format!("`{SPKI}`,"),
            SPKI.replace('+', "%2B").replace('=', "%3D"),
            format!("data:application/x-pem;base64,{SPKI}"),
            format!("{{\"type\":\"Buffer\",\"data\":[{}]}}", listed(",")),
            format!("[{}]", listed(", ")),
            hex(|byte| format!("0x{byte:02x}"), ", "),
            hex(|byte| format!("\\x{byte:02x}"), ""),
            hex(|byte| format!("{byte:02x}"), "-"),
        ];
        for text in &settings {
            assert!(kind(text.as_bytes()).is_some(), "{text}");
        }
        assert_eq!(kind(&[der(), der()].concat()), Some("DER key"), "a chain");
        assert_eq!(kind(&[der(), vec![0, 0]].concat()), Some("DER key"), "as C has it");
        for text in &spelled {
            assert!(matches!(kind(text.as_bytes()), Some("DER key" | "PEM key")), "{text}");
            let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            for mark in [&[][..], &[0xff, 0xfe]] {
                assert!(kind(&[mark, &little].concat()).is_some(), "UTF-16: {text}");
            }
            for mark in [&[][..], &[0xfe, 0xff]] {
                assert!(kind(&[mark, &big].concat()).is_some(), "UTF-16: {text}");
            }
        }
        for end in [&b""[..], b"\n", b"\r\n", b" \n\n"] {
            assert_eq!(kind(&[&der(), end].concat()), Some("DER key"), "{end:?}");
        }
    }

    #[test]
    fn ssh_keys_jwks_xml_keys_and_tokens_are_recognised() {
        for (text, expected) in [
            (format!("ssh-ed25519 {SSH} me"), "SSH key"),
            (format!("sk-ssh-ed25519@openssh.com {SSH} me"), "SSH key"),
            (format!("ecdsa-sha2-nistp256 {SSH}"), "SSH key"),
            (format!("no-pty,command=\"/bin/a b\" ssh-ed25519 {SSH} me"), "SSH key"),
            (format!("# a comment\nhost.example ssh-ed25519 {SSH}\n"), "SSH key"),
            (SSH.to_owned(), "SSH key"),
            ("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none".to_owned(), "SSH key"),
            (" {\"kty\":\"oct\",\"k\":\"AAAA\"}".to_owned(), "JWK or JWKS"),
            ("{\"jwks\":{\"keys\":[{\"kty\":\"RSA\"}]}}".to_owned(), "JWK or JWKS"),
            ("\"{\\\"kty\\\":\\\"oct\\\"}\"".to_owned(), "JWK or JWKS"),
            ("JWK={'kty': 'EC', 'crv': 'P-256'}".to_owned(), "JWK or JWKS"),
            ("{\"x5c\":[\"AAAA\"]}".to_owned(), "JWK or JWKS"),
            ("{\"n\":\"AQAB\",\"e\":\"AQAB\"}".to_owned(), "JWK or JWKS"),
            ("%7B%22kty%22%3A%22oct%22%7D".to_owned(), "JWK or JWKS"),
            ("<RSAParameters><Modulus>AQAB</Modulus></RSAParameters>".to_owned(), "XML key"),
            ("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p".to_owned(), "key of another kind"),
            ("k4.public.HrnbHzwq8RpLW0mCBwFPx0A7qY0HhKqHyoOCqLcgVbU".to_owned(), "key of another kind"),
            ("bearer eyJhbGciOiJIUzI1NiJ9.e30.".to_owned(), "token"),
            ("Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.".to_owned(), "token"),
            ("eyJhbGciOiJIUzI1NiJ9.e30.YQ~WyJh~".to_owned(), "token"),
            ("{\"access_token\":\"eyJhbGciOiJIUzI1NiJ9.e30.YQ\"}".to_owned(), "token"),
            ("{\"payload\":\"e30\",\"protected\":\"e30\",\"signature\":\"YQ\"}".to_owned(), "token"),
            ("{\"keys\":[]}".to_owned(), "JWK or JWKS"),
            ("[{\"kty\":\"oct\",\"k\":\"AAAA\"}]".to_owned(), "JWK or JWKS"),
            ("{\"kty\":\"oct\",\"kty\":\"oct\",\"k\":\"AAAA\"}".to_owned(), "JWK or JWKS"),
            ("{\"kty\":\"oct\",\"k\":\"AAAA\",}".to_owned(), "JWK or JWKS"),
            ("<RSAKeyValue><Modulus>AQAB</Modulus></RSAKeyValue>".to_owned(), "XML key"),
            ("<?xml version=\"1.0\"?>\n<ds:ECKeyValue>x</ds:ECKeyValue>".to_owned(), "XML key"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl".to_owned(), "token"),
            ("Bearer eyJhbGciOiJIUzI1NiJ9.e30.".to_owned(), "token"),
            ("eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXY.Y3Q.dGFn".to_owned(), "token"),
        ] {
            assert_eq!(kind(text.as_bytes()), Some(expected), "{text}");
            let wrapped = base64::Engine::encode(&super::wrappings::LENIENT, &text);
            assert_eq!(kind(wrapped.as_bytes()), Some(expected), "base64 of {text}");
        }
    }

    #[test]
    fn a_secret_is_left_alone() {
        let nearly_der: Vec<u8> = [0x30, 46].into_iter().chain([0xff; 46]).collect();
        for secret in [
            &b"correct horse battery staple, twice over"[..],
            &[0; 32],
            &nearly_der,
            b"{\"a\":1}",
            b"MCow",
            b"begin at the beginning, public keyboards and private keyholes",
            b"let us begin with public key cryptography!!",
            b"begin: my private keys are under the doormat",
            b"ssh-tunnels are my favourite thing in the world",
            b"{\"keys\":\"are great, and so are kty and n and e\"}",
            b"BEGINNING of a very long and secret text with a KEY in it",
            b"a.b.c",
            b"<html>not a key</html>",
            b"ssh is not a key, my friend, and this is long enough",
            b"[1,2,3]",
        ] {
            assert_eq!(kind(secret), None, "{secret:?}");
        }
    }

    #[test]
    fn twenty_thousand_random_secrets_of_each_usual_alphabet_pass() {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let printable: Vec<u8> = (b' '..=b'~').collect();
        let every: Vec<u8> = (0..=255).collect();
        let base64: Vec<u8> = [LETTERS, b"0123456789+/"].concat();
        let base64url: Vec<u8> = [LETTERS, b"0123456789-_"].concat();
        let letters_and_digits: Vec<u8> = [LETTERS, b"0123456789"].concat();
        let alphabets: [&[u8]; 8] = [
            b"0123456789abcdef",
            b"0123456789ABCDEF",
            b"0123456789",
            &base64,
            &base64url,
            &letters_and_digits,
            &printable,
            &every,
        ];
        // A fixed generator, so that a failure can be had again.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as usize % below
        };
        for alphabet in alphabets {
            for at in 0..20_000 {
                let len = [32, 43, 44, 48, 64, 86, 88, 128][at % 8];
                let secret: Vec<u8> = (0..len).map(|_| alphabet[random(alphabet.len())]).collect();
                assert_eq!(kind(&secret), None, "{}", String::from_utf8_lossy(&secret));
            }
        }
    }
}
