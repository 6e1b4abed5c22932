//! What the dearest unsigned token costs, as a multiple of accepting one of that length by the last candidate key.
//!
//! The fuzz target `cost` hunts for such tokens, and `cargo bench --bench dearest` measures those that are known.

use std::hint::black_box;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use signoff::{Algorithm, Engine, Key, KeySet, NewToken, Policy, Scratch};

/// Lengths of tokens, in bytes.
pub const LENGTHS: [usize; 6] = [400, 1000, 4000, 16_000, 100_000, 1_000_000];

/// A text that is made longer in its middle, as far as a token may be long.
#[derive(Clone, Debug)]
pub struct Stretched {
    pub front: Vec<u8>,
    pub middle: Vec<u8>,
    pub back: Vec<u8>,
}

impl Stretched {
    pub fn new(front: impl Into<Vec<u8>>, middle: impl Into<Vec<u8>>, back: impl Into<Vec<u8>>) -> Self {
        Self { front: front.into(), middle: middle.into(), back: back.into() }
    }

    /// At most this long, unless front and back alone are longer.
    fn to_length(&self, len: usize) -> Vec<u8> {
        let room = len.saturating_sub(self.front.len() + self.back.len());
        let times = if self.middle.is_empty() { 0 } else { room / self.middle.len() };
        [&self.front[..], &self.middle.repeat(times), &self.back].concat()
    }
}

/// A token that nobody has signed.
#[derive(Clone, Debug)]
pub enum Unsigned {
    /// With such a header.
    Header(Stretched),
    /// With such a payload.
    Payload(Stretched),
    /// Such a text as it is.
    Text(Stretched),
}

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

impl Unsigned {
    pub fn to_length(&self, len: usize) -> Vec<u8> {
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let signature = encoded(&[7; 32]);
        let room = |other: &str| len.saturating_sub(other.len() + signature.len() + 2) / 4 * 3;
        let token = match self {
            Self::Header(header) => {
                let payload = encoded(br#"{"sub":"1"}"#);
                format!("{}.{payload}.{signature}", encoded(&header.to_length(room(&payload))))
            }
            Self::Payload(payload) => {
                let header = encoded(HEADER.as_bytes());
                format!("{header}.{}.{signature}", encoded(&payload.to_length(room(&header))))
            }
            Self::Text(text) => return text.to_length(len),
        };
        token.into_bytes()
    }
}

/// An engine of one key or of so many that share no id, and a token of each length that the last of them has signed.
pub struct Measured {
    engine: Engine,
    signer: Engine,
    scratch: Scratch,
}

impl Measured {
    pub fn new(keys: u8) -> Self {
        let key = |number: u8| Key::hmac(Algorithm::Hs256, &[number; 32]).unwrap();
        let policy = || Policy::new().token_bytes_max(1 << 20);
        let engine = Engine::new(KeySet::new((0..keys).map(key)).unwrap(), policy()).unwrap();
        let signer = Engine::new(KeySet::new([key(keys - 1)]).unwrap(), policy()).unwrap();
        Self { engine, signer, scratch: Scratch::new() }
    }

    /// A plain token of at most this length, which is accepted.
    fn good(&self, len: usize) -> Vec<u8> {
        let signed = |filler: usize| {
            let json = format!(
                r#"{{"iss":"https://id.example","sub":"1","jti":"8f14e45f-ceea-467f-a0e6-3d2b1c0f9a77","x":"{}"}}"#,
                "x".repeat(filler)
            );
            let token = NewToken::from_json(json).expires_in(Duration::from_secs(36_000));
            self.signer.sign(token).unwrap().into_token().into_bytes()
        };
        let least = signed(0).len();
        signed(len.saturating_sub(least + 3) / 4 * 3)
    }

    /// The least time of a refusal over that of an acceptance, and the status of the refusal. None where the token is accepted.
    pub fn ratio(&mut self, unsigned: &Unsigned, len: usize, turns: usize) -> Option<(f64, &'static str)> {
        let token = unsigned.to_length(len);
        let good = self.good(token.len().max(300));
        let status = self.engine.verify(&mut self.scratch, &token).err()?.status().name();
        let _accepted = self.engine.verify(&mut self.scratch, &good).expect("a good token");
        // Some microseconds at a time, in turn.
        let times = 1 + 20_000 / len;
        let mut least = [Duration::MAX; 2];
        for _ in 0..turns {
            for (least, token) in least.iter_mut().zip([&token, &good]) {
                let start = Instant::now();
                for _ in 0..times {
                    let _verdict = black_box(self.engine.verify(&mut self.scratch, black_box(token)).is_ok());
                }
                *least = (*least).min(start.elapsed());
            }
        }
        Some((least[0].as_secs_f64() / least[1].as_secs_f64(), status))
    }
}

/// A token made of any bytes: the first says what is stretched, the next two where front and middle end.
pub fn of_bytes(data: &[u8]) -> Option<(Unsigned, usize)> {
    let ([what, front, middle], rest) = data.split_first_chunk()?;
    let (front, rest) = rest.split_at(usize::from(*front).min(rest.len()));
    let (middle, back) = rest.split_at(usize::from(*middle).min(rest.len()));
    let stretched = |front: &[u8]| Stretched::new(front, middle, back);
    let unsigned = match what & 3 {
        // A header that gets as far as its signature, and one as it comes.
        0 | 1 => Unsigned::Header(stretched(&[br#"{"alg":"HS256","#, front].concat())),
        2 => Unsigned::Payload(stretched(front)),
        _ => Unsigned::Text(stretched(front)),
    };
    Some((unsigned, LENGTHS[usize::from(what >> 2) % 4]))
}

/// Those that were found or thought of, each with what is dear about it.
pub fn known() -> Vec<(&'static str, Unsigned)> {
    let header = |front: &str, middle: &str, back: &str| Unsigned::Header(Stretched::new(front, middle, back));
    let alg = r#""alg":"HS256""#;
    // Names with a long beginning in common.
    let names = |len: usize, front: &str, escaped: &str| {
        let shared = front.to_owned() + &"n".repeat(len);
        let members: Vec<_> = (10..40).map(|number| format!(r#""{shared}{escaped}{number}":0"#)).collect();
        Unsigned::Header(Stretched::new(format!("{{{alg},{}}}", members.join(",")), "", ""))
    };
    // As many members as there may be, each with such a value.
    let values = |value: &str| {
        let members: Vec<_> = (10..41).map(|number| format!(r#""{number}":{value}"#)).collect();
        Unsigned::Header(Stretched::new(format!("{{{alg},{}}}", members.join(",")), "", ""))
    };
    vec![
        ("thirty zeros", values("0")),
        ("thirty numbers", values("-0")),
        ("thirty exponents", values("1e1")),
        ("thirty strings", values(r#""""#)),
        ("thirty escaped strings", values(r#""\n""#)),
        ("thirty lists", values("[]")),
        ("thirty nulls", values("null")),
        ("thirty escaped names", names(0, "", r"\n")),
        ("as much of each as there may be", {
            let value = |at: usize| ["1e1", r#""\n""#, "0"][usize::from(at >= 6) + usize::from(at >= 12)];
            let members: Vec<_> = (0..31).map(|at| format!(r#""{}":{}"#, at + 10, value(at))).collect();
            Unsigned::Header(Stretched::new(format!("{{{alg},{}}}", members.join(",")), "", ""))
        }),
        ("plain", header(&format!(r#"{{{alg},"x":""#), "x", r#""}"#)),
        ("plain, payload", Unsigned::Payload(Stretched::new(r#"{"x":""#, "x", r#""}"#))),
        ("escapes", header(&format!(r#"{{{alg},"x":""#), r"\n", r#""}"#)),
        ("an escape in 48 bytes", header(&format!(r#"{{{alg},"x":""#), &(r"\n".to_owned() + &"x".repeat(46)), r#""}"#)),
        ("escapes in a key id", header(&format!(r#"{{{alg},"kid":""#), r"\u0041", r#""}"#)),
        ("a long key id with one escape", header(&format!(r#"{{{alg},"kid":"\n"#), "x", r#""}"#)),
        ("a long algorithm with one escape", header(r#"{"alg":"\u0048S256"#, "x", r#""}"#)),
        ("a long type with one escape", header(&format!(r#"{{{alg},"typ":"\n"#), "x", r#""}"#)),
        ("a long name with one escape", header(&format!(r#"{{{alg},"\n"#), "x", r#"":0}"#)),
        ("escaped names", header(&format!(r#"{{{alg},"\u0061":0,"x":""#), "x", r#""}"#)),
        ("zeros in a list", header(&format!(r#"{{{alg},"x":[0"#), ",0", "]}")),
        ("lists in a list", header(&format!(r#"{{{alg},"x":[0"#), ",[]", "]}")),
        ("objects in a list", header(&format!(r#"{{{alg},"x":[0"#), r#",{"a":0}"#, "]}")),
        (
            "a zero in 40 bytes",
            header(&format!(r#"{{{alg},"x":[0"#), &(r#",0,""#.to_owned() + &"x".repeat(80) + "\""), "]}"),
        ),
        ("white space", header(&format!("{{{alg},"), " ", r#""x":0}"#)),
        ("mixed white space", header(&format!("{{{alg},"), " \n\t\r", r#""x":0}"#)),
        ("a long number", header(&format!(r#"{{{alg},"x":0."#), "7", "}")),
        ("a long exponent", header(&format!(r#"{{{alg},"x":0e-"#), "7", "}")),
        ("zeros in an exponent", header(&format!(r#"{{{alg},"x":0e"#), "0", "}")),
        ("two-byte characters", header(&format!(r#"{{{alg},"x":""#), "ä", r#""}"#)),
        ("250 bytes of them", header(&format!(r#"{{{alg},"x":"{}"#, "ä".repeat(125)), "x", r#""}"#)),
        ("the same name again and again", header(&format!("{{{alg}"), r#","a":0"#, "}")),
        ("thirty short names", names(1, "", "")),
        ("thirty names of 200 bytes", names(200, "", "")),
        ("thirty such names, one escaped", names(200, r"", r"\u0031")),
        ("thirty names of 20,000 bytes", names(20_000, "", "")),
        ("escapes in the payload", Unsigned::Payload(Stretched::new(r#"{"x":""#, r"\n", r#""}"#))),
        ("almost a jti in the payload", Unsigned::Payload(Stretched::new(r#"{"#, r#""jt"#, "}"))),
        ("dots", Unsigned::Text(Stretched::new("a", ".", "a"))),
        ("a last character that is none", Unsigned::Text(Stretched::new("a.", "a", ".a!"))),
        ("a long signature", Unsigned::Text(Stretched::new("eyJhbGciOiJIUzI1NiJ9.e30.", "AAAA", ""))),
        ("no dot", Unsigned::Text(Stretched::new("", "a", ""))),
    ]
}
