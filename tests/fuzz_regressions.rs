//! The fuzz targets without a fuzzer: every committed regression, and random inputs by proptest that
//! hold the engine to the obvious one and its JSON reader to `serde_json`.

#[allow(dead_code)] // The other half serves tests/revocation_story.rs.
mod oracle;
#[path = "../fuzz/target_bodies.rs"]
mod target_bodies;

use std::path::Path;

use proptest::prelude::*;

fn replay(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/regressions").join(target);
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 3, "{} holds too few regressions", folder.display());
    for file in files {
        body(&std::fs::read(&file).unwrap());
    }
}

#[test]
fn regressions_of_token_agree_with_the_obvious_engine() {
    replay("token", target_bodies::token);
}

#[test]
fn regressions_of_json_agree_with_serde_json() {
    replay("json", target_bodies::json);
}

#[test]
fn regressions_of_mutation_are_accepted_only_unchanged() {
    replay("mutation", target_bodies::mutation);
}

/// Payloads that are nearly claims: the names and values that the engine looks at, put together at random.
fn claims() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        8 => prop::sample::select(vec!["exp", "nbf", "iat", "iss", "sub", "aud", "jti", "sid"]).prop_map(str::to_owned),
        1 => Just("e\\u0078p".to_owned()),
        1 => Just("j\\u0074i".to_owned()),
        2 => "[a-z]{1,4}",
    ];
    let number = prop_oneof![
        Just("1700003600".to_owned()),
        Just("1699999999.9995".to_owned()),
        Just("1.7e9".to_owned()),
        Just("170000000000000000000e-11".to_owned()),
        Just("-0".to_owned()),
        "(-)?(0|[1-9][0-9]{0,13})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?",
        "[0-9+.eE-]{1,6}",
    ];
    let text = prop_oneof![
        Just("\"https://id.example\"".to_owned()),
        Just("\"api\"".to_owned()),
        Just("\"\"".to_owned()),
        Just("\"\\u0061p\\u0069\"".to_owned()),
        Just("\"\\ud83d\\ude00\"".to_owned()),
        Just("\"\\ud800\"".to_owned()),
        "\"[a-z0-9 é日\\\\]{0,80}\"",
    ];
    let leaf = prop_oneof![6 => number, 6 => text, 1 => Just("null".to_owned()), 1 => Just("true".to_owned())];
    let value = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec(inner, 0..3).prop_map(|all| {
                let members: Vec<_> = all.iter().map(|value| format!("\"k\" : {value}")).collect();
                format!("{{{}}}", members.join(" ,"))
            }),
        ]
    });
    let space = prop::sample::select(vec!["", "", "", " ", "\n\t"]);
    prop::collection::vec((name, value, space), 0..8).prop_map(|members| {
        let members: Vec<_> = members
            .into_iter()
            .map(|(name, value, space)| format!("{space}\"{name}\"{space}:{space}{value}{space}"))
            .collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tokens_of_likely_claims_get_the_verdict_of_the_obvious_engine(claims in claims(), choice in 1_u8..64) {
        target_bodies::token(&[&[choice | 1, 0], claims.as_bytes()].concat());
    }

    #[test]
    fn likely_headers_get_the_verdict_of_the_obvious_engine(
        alg in prop::sample::select(vec!["HS256", "HS384", "none", "\\u0048S256"]),
        extra in prop::sample::select(vec!["", ",\"kid\":\"a\"", ",\"kid\":\"zz\"", ",\"kid\":7", ",\"alg\":\"HS256\"", ",\"typ\":\"logout+jwt\"", ",\"b64\":false", ",\"x\":[1]"]),
        choice in 1_u8..64,
    ) {
        let header = format!("{{\"alg\":\"{alg}\"{extra}}}");
        let payload = br#"{"iss":"https://id.example","aud":"api","exp":1700003600}"#;
        target_bodies::token(&[&[choice | 1, header.len() as u8], header.as_bytes(), payload].concat());
    }

    #[test]
    fn likely_claims_are_read_as_serde_json_reads_them(claims in claims()) {
        target_bodies::json(claims.as_bytes());
    }

    #[test]
    fn claims_with_a_byte_changed_are_read_as_serde_json_reads_them(claims in claims(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = claims.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        target_bodies::json(&bytes);
    }

    #[test]
    fn any_bytes_at_all_get_the_verdict_of_the_obvious_engine(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        target_bodies::token(&bytes);
        target_bodies::json(&bytes);
        target_bodies::mutation(&bytes);
    }
}
