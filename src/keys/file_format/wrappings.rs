//! What keys are wrapped in on their way into settings: base64, hexadecimal, lists of bytes, the encoding of URLs, UTF-16.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// Any padding and any last character: what is looked at has to be read by somebody, not by us.
pub(super) const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// How long a text in base64 is that can hold a key.
pub(super) const RUN_MIN: usize = 40;

pub(super) fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/-_".contains(c)
}

/// What the long runs of base64 in a text stand for: each by itself, and lines that follow one another as one.
pub(super) fn base64_runs(text: &str) -> Vec<Zeroizing<Vec<u8>>> {
    // As JSON and settings write line endings and slashes.
    let text = Zeroizing::new(text.replace("\\n", "\n").replace("\\r", "\n").replace("\\/", "/"));
    let mut found: Vec<_> =
        text.split(|c: char| !is_base64(c)).filter(|run| run.len() >= RUN_MIN).filter_map(base64_bytes).collect();
    let mut joined = Zeroizing::new(String::with_capacity(text.len()));
    for line in text.lines().map(|line| line.trim_matches(|c: char| c.is_ascii_whitespace() || "\"',=;\\".contains(c)))
    {
        let is_run = !line.is_empty() && line.chars().all(is_base64);
        let is_last = is_run && line.len() < RUN_MIN;
        if is_run {
            joined.push_str(line);
        }
        if (!is_run || is_last) && !joined.is_empty() {
            found.extend(base64_bytes(&joined));
            joined.clear();
        }
    }
    found.extend(base64_bytes(&joined));
    found
}

/// What a text in a URL stands for, where it has anything encoded.
pub(super) fn percent_decoded(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    let mut is_encoded = false;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.filter(|_| byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                (is_encoded, rest) = (true, &behind[2..]);
                bytes.push(decoded);
            }
            None => bytes.push(byte),
        }
    }
    is_encoded.then_some(bytes)
}

/// A list of bytes, as programs print buffers: decimal, or hexadecimal as in `0x30, 0x82`, `\x30\x82` and `30-82`.
pub(super) fn listed_bytes(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    const LABELS: [&str; 3] = ["type", "Buffer", "data"];
    let items: Vec<&str> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|item| !item.is_empty() && !LABELS.contains(item))
        .collect();
    if items.len() < RUN_MIN {
        return None;
    }
    let all = |read: fn(&str) -> Option<u8>| items.iter().map(|item| read(item)).collect::<Option<Vec<u8>>>();
    let hexadecimal = |item: &str| {
        let digits = item.strip_prefix("0x").or_else(|| item.strip_prefix('x')).unwrap_or(item);
        (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok())?
    };
    all(|item| item.parse().ok()).or_else(|| all(hexadecimal)).map(Zeroizing::new)
}

/// What either alphabet of base64 stands for, white space left out. The buffers are as long as they can get from the start, so that no
/// copy is left behind where one has grown.
pub(super) fn base64_bytes(text: &str) -> Option<Zeroizing<Vec<u8>>> {
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
pub(super) fn hex_bytes(text: &str) -> Option<Zeroizing<Vec<u8>>> {
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
pub(super) fn utf16(bytes: &[u8]) -> Option<Zeroizing<String>> {
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
