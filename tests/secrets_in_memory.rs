//! What is left of a secret in the memory of a process when every key, engine and token of it is gone: nothing that signs.
#![cfg(target_os = "linux")]

mod common;

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::process::Command;

use signoff::{Algorithm, Engine, Key, KeySet, NewToken, Policy, Scratch};

/// Needles are kept under a mask, so that the search does not find itself.
const MASK: u8 = 0xa5;

struct Needle {
    name: &'static str,
    masked: Vec<u8>,
}

impl Needle {
    fn new(name: &'static str, mut bytes: Vec<u8>) -> Self {
        let masked = bytes.iter().map(|byte| byte ^ MASK).collect();
        zeroize::Zeroize::zeroize(&mut bytes);
        Self { name, masked }
    }
}

/// The secret, which no part of the program's own data has.
fn secret(number: u8) -> Vec<u8> {
    (0..32).map(|at| (at as u8).wrapping_mul(151).wrapping_add(number.wrapping_mul(29)) ^ 0x5b).collect()
}

/// The secret itself, the blocks that HMAC makes of it, and the states that it keeps: whoever has one of these can sign.
fn needles(number: u8) -> Vec<Needle> {
    let padded = |pad: u8| {
        let mut block = [pad; 64];
        block.iter_mut().zip(secret(number)).for_each(|(byte, own)| *byte ^= own);
        block
    };
    let state = |pad: u8| {
        let mut state = [
            0x6a09_e667_u32,
            0xbb67_ae85,
            0x3c6e_f372,
            0xa54f_f53a,
            0x510e_527f,
            0x9b05_688c,
            0x1f83_d9ab,
            0x5be0_cd19,
        ];
        sha2::block_api::compress256(&mut state, &[padded(pad)]);
        state.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<_>>()
    };
    vec![
        Needle::new("the secret", secret(number)),
        Needle::new("the inner block", padded(0x36)[..32].to_vec()),
        Needle::new("the outer block", padded(0x5c)[..32].to_vec()),
        Needle::new("the inner state", state(0x36)),
        Needle::new("the outer state", state(0x5c)),
    ]
}

/// Where each needle stands in what this process may write to.
fn found(needles: &[Needle]) -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let mut found = Vec::new();
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let (range, rights) = (fields.next().unwrap(), fields.next().unwrap());
        let name = fields.nth(3).unwrap_or("memory");
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
        if !rights.starts_with("rw") || end - start > 1 << 28 {
            continue;
        }
        let mut bytes = vec![0; (end - start) as usize];
        if memory.read_exact_at(&mut bytes, start).is_err() {
            continue;
        }
        bytes.iter_mut().for_each(|byte| *byte ^= MASK);
        for Needle { name: what, masked } in needles {
            let finder = memchr::memmem::Finder::new(masked);
            // The needle itself lies there under its mask, and so does not look like this.
            for at in finder.find_iter(&bytes) {
                found.push(format!("{what} in {name} at {:x} of {range}", start + at as u64));
            }
        }
    }
    found
}

#[inline(never)]
fn use_and_drop(number: u8) {
    let mut own = secret(number);
    let keys = (0..5).map(|at| {
        let mut other = secret(number);
        other[0] ^= at;
        let key = Key::hmac(Algorithm::Hs256, &other).unwrap().with_key_id(at.to_string());
        zeroize::Zeroize::zeroize(&mut other);
        key
    });
    // A growing list moves what is in it.
    let mut list = Vec::new();
    keys.for_each(|key| list.push(key));
    let engine = Engine::new(KeySet::new(list).unwrap(), Policy::new()).unwrap();
    let token = engine.sign(NewToken::from_json("{}").expires_in(std::time::Duration::from_secs(60))).unwrap();
    for _ in 0..3 {
        let mut scratch = Scratch::new();
        let _accepted = engine.verify(&mut scratch, token.token()).unwrap();
    }
    let other = engine.clone();
    other.replace_keys(KeySet::new([Key::hmac(Algorithm::Hs256, &[9; 32]).unwrap()]).unwrap());
    zeroize::Zeroize::zeroize(&mut own);
}

/// No test of its own: the process that is searched.
#[test]
fn child_that_forgets_a_secret() {
    if std::env::var_os("SIGNOFF_FORGETS").is_none() {
        return;
    }
    let needles = needles(3);
    // What making them has left on this stack is not the library's.
    clear_own_stack();
    let kept = std::env::var_os("SIGNOFF_KEEPS").map(|_| Key::hmac(Algorithm::Hs256, &secret(3)).unwrap());
    use_and_drop(3);
    for place in found(&needles) {
        println!("\nfound: {place}");
    }
    drop(kept);
}

#[inline(never)]
fn clear_own_stack() {
    let mut room = [0_u8; 1 << 16];
    zeroize::Zeroize::zeroize(&mut room[..]);
    std::hint::black_box(&mut room);
}

fn forgetting(keeps: bool) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "child_that_forgets_a_secret", "--nocapture", "--test-threads=1"])
        .env("SIGNOFF_FORGETS", "1");
    if keeps {
        child.env("SIGNOFF_KEEPS", "1");
    }
    let output = child.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    text.lines().filter_map(|line| Some(line.strip_prefix("found: ")?.to_owned())).collect()
}

#[test]
fn nothing_that_signs_is_left_in_memory_when_all_keys_are_gone() {
    let left = forgetting(false);
    assert!(left.is_empty(), "{left:#?}");
    // The search finds what is there: the states of a key that lives, and its secret nowhere.
    let kept = forgetting(true);
    assert!(kept.iter().any(|place| place.starts_with("the inner state")), "{kept:#?}");
    assert!(!kept.iter().any(|place| place.starts_with("the secret") || place.contains("block")), "{kept:#?}");
}
