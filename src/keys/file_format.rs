//! Tells a key of some other kind, or a token, from an HMAC secret.
//!
//! Whoever loads a public key as a secret lets everybody who knows the public key sign. The look is meant to err on the side of a
//! refusal for things that no generator of secrets makes.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// Any padding and any last character: what is looked at has to be read by somebody, not by us.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// How many wrappings are looked into: base64 of base64 of a PEM is a PEM.
const WRAPPINGS_MAX: u32 = 3;

/// What kind of key these bytes are, if they are one; or that they are a token.
pub(super) fn kind(bytes: &[u8]) -> Option<&'static str> {
    within(bytes, WRAPPINGS_MAX)
}

fn within(bytes: &[u8], wrappings: u32) -> Option<&'static str> {
    if is_der(bytes) || is_der(bytes.trim_ascii()) {
        return Some("DER key");
    }
    if is_ssh_blob(bytes) {
        return Some("SSH key");
    }
    if let Some(text) = utf16(bytes) {
        return within(text.as_bytes(), wrappings.checked_sub(1)?);
    }
    let text = std::str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}').trim();
    if let Some(kind) = kind_of_text(text) {
        return Some(kind);
    }
    let quoted = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(inner) = quoted('"').or_else(|| quoted('\'')) {
        return within(inner.as_bytes(), wrappings.checked_sub(1)?);
    }
    let wrappings = wrappings.checked_sub(1)?;
    // As consoles show public keys, and as they are put into environment variables.
    let in_base64 = base64_bytes(text).and_then(|decoded| within(&decoded, wrappings));
    in_base64.or_else(|| hex_bytes(text).and_then(|decoded| within(&decoded, wrappings)))
}

fn kind_of_text(text: &str) -> Option<&'static str> {
    // In capitals, so that nothing but the letters counts. White space before the armour was enough to get around one such check
    // (CVE-2026-34950).
    let capitals = Zeroizing::new(text.to_ascii_uppercase());
    if is_armoured(&capitals) {
        return Some("PEM key");
    }
    if text.starts_with("PuTTY-User-Key-File-") || text.lines().any(is_ssh_line) {
        return Some("SSH key");
    }
    if is_jwk(text) {
        return Some("JWK or JWKS");
    }
    if text.starts_with('<') && (capitals.contains("KEYVALUE>") || capitals.contains("X509CERTIFICATE")) {
        return Some("XML key");
    }
    is_token(text).then_some("token")
}

/// A PEM, an SSH2 or a PGP armour, with dashes or without: `BEGIN`, and soon after it what there is.
fn is_armoured(capitals: &str) -> bool {
    const NEAR: usize = 26;
    capitals.contains("-----BEGIN")
        || capitals.match_indices("BEGIN").any(|(at, _)| {
            let behind: Vec<u8> = capitals.bytes().skip(at + "BEGIN".len()).take(NEAR).collect();
            let has = |word: &str| memchr::memmem::find(&behind, word.as_bytes()).is_some();
            let is_word = behind.first().is_some_and(|byte| !byte.is_ascii_alphanumeric());
            is_word && (has("PUBLIC KEY") || has("PRIVATE KEY") || has("CERTIFICATE"))
        })
}

/// A line of `authorized_keys` or of a `.pub` file: perhaps options or a host, the type, the key.
fn is_ssh_line(line: &str) -> bool {
    let is_type = |word: &str| {
        let word = word.strip_prefix("sk-").unwrap_or(word);
        word.starts_with("ssh-") || word.starts_with("ecdsa-sha2-")
    };
    let mut words = line.split_ascii_whitespace().peekable();
    let begins_with_type = words.peek().is_some_and(|word| is_type(word));
    // Every key in that format begins with the length of its type's name.
    begins_with_type
        || words.zip(line.split_ascii_whitespace().skip(1)).any(|(word, key)| is_type(word) && key.starts_with("AAAA"))
}

/// What an SSH key's base64 holds: the length of its type's name, and the name.
fn is_ssh_blob(bytes: &[u8]) -> bool {
    let Some((len, rest)) = bytes.split_first_chunk() else { return false };
    let name = usize::try_from(u32::from_be_bytes(*len)).ok().and_then(|len| rest.get(..len));
    name.is_some_and(|name| [&b"ssh-"[..], b"ecdsa-sha2-", b"sk-"].iter().any(|front| name.starts_with(front)))
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

/// A JWK or a JWKS, also in an array, or with a name twice.
fn is_jwk(text: &str) -> bool {
    let is_key = |value: &serde_json::Value| value.get("kty").is_some() || value.get("keys").is_some();
    if !text.starts_with(['{', '[']) {
        return false;
    }
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Array(all)) => all.iter().any(is_key),
        Ok(value) => is_key(&value),
        // Cut off, or with a comma too many: still no secret.
        Err(_) => text.contains("\"kty\""),
    }
}

/// A compact JWS or JWE: parts in base64url, the first of which is a JSON object with an algorithm.
fn is_token(text: &str) -> bool {
    let text = text.strip_prefix("Bearer ").unwrap_or(text);
    let dots = text.bytes().filter(|byte| *byte == b'.').count();
    let is_compact = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let header = text.split('.').next().filter(|_| is_compact && matches!(dots, 2 | 4)).and_then(base64_bytes);
    let header = header.and_then(|header| serde_json::from_slice::<serde_json::Value>(&header).ok());
    header.is_some_and(|header| header.get("alg").is_some())
}

/// What either alphabet of base64 stands for, white space left out. The buffers are as long as they can get from the start, so that no
/// copy is left behind where one has grown.
fn base64_bytes(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(text.len()));
    line.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace()).map(|byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => byte,
    }));
    let mut decoded = Zeroizing::new(vec![0; text.len() + 3]);
    let len = LENIENT.decode_slice(&*line, &mut decoded).ok()?;
    decoded.truncate(len);
    (!decoded.is_empty()).then_some(decoded)
}

/// What hexadecimal digits stand for, with or without `0x`, colons and white space.
fn hex_bytes(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2 + 1));
    let mut high = None;
    for digit in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b':') {
        let digit = u8::try_from(char::from(digit).to_digit(16)?).ok()?;
        match high.take() {
            None => high = Some(digit),
            Some(high) => bytes.push(high << 4 | digit),
        }
    }
    (high.is_none() && !bytes.is_empty()).then_some(bytes)
}

/// A text in UTF-16, as some editors and shells of Windows save it: with its mark, or of ASCII alone.
fn utf16(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let (pairs, []) = bytes.as_chunks::<2>() else { return None };
    let all = |is: fn(&[u8; 2]) -> bool| pairs.len() > 1 && pairs.iter().all(is);
    let unit: fn(&[u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => |pair| u16::from_le_bytes(*pair),
        [0xfe, 0xff, ..] => |pair| u16::from_be_bytes(*pair),
        _ if all(|pair| pair[1] == 0 && pair[0] != 0) => |pair| u16::from_le_bytes(*pair),
        _ if all(|pair| pair[0] == 0 && pair[1] != 0) => |pair| u16::from_be_bytes(*pair),
        _ => return None,
    };
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for char in char::decode_utf16(pairs.iter().map(unit)) {
        text.push(char.ok()?);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::kind;

    /// An Ed25519 public key (RFC 8410 section 10.1), the shortest DER key there is.
    const SPKI: &str = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
    const SSH: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE";

    fn der() -> Vec<u8> {
        base64::Engine::decode(&super::LENIENT, SPKI).unwrap()
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
        let base64 = |bytes: &[u8]| base64::Engine::encode(&super::LENIENT, bytes);
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
            let wrapped = base64::Engine::encode(&super::LENIENT, &text);
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
