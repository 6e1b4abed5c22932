//! What the dearest unsigned tokens cost, by length, as a multiple of accepting a token of that length.
//!
//! `cargo bench --bench dearest` prints a table; the least times of 200 turns are compared. The first column is with one key, so
//! that a signature costs the least that it can; `KEYS=8` is with as many as are tried,
//! `ONLY=escape` with those whose names have that in them.
//! What the fuzz target `cost` has found, and is kept in `fuzz/regressions/cost`, is measured too.

#[path = "../fuzz/dear.rs"]
mod dear;

fn main() {
    let keys = std::env::var("KEYS").map_or(1, |keys| keys.parse().expect("KEYS: a number from 1 to 8"));
    let turns = std::env::var("TURNS").map_or(200, |turns| turns.parse().expect("TURNS: a number"));
    let mut measured = dear::Measured::new(keys);
    let mut dearest = [(0.0, ""); dear::LENGTHS.len()];
    println!("| token | {} |", dear::LENGTHS.map(|len| len.to_string()).join(" | "));
    let only = std::env::var("ONLY").unwrap_or_default();
    let found = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/regressions/cost");
    let found = std::fs::read_dir(found).into_iter().flatten().filter_map(|file| {
        let file = file.unwrap();
        let name: &str = file.file_name().into_string().unwrap().leak();
        Some((name, dear::of_bytes(&std::fs::read(file.path()).unwrap())?.0))
    });
    for (name, unsigned) in dear::known().into_iter().chain(found).filter(|(name, _)| name.contains(&only)) {
        let mut row = String::new();
        let mut last = "";
        for (dearest, len) in dearest.iter_mut().zip(dear::LENGTHS) {
            let Some((ratio, status)) = measured.ratio(&unsigned, len, turns) else { continue };
            // One whose front alone is longer is not of this length.
            if unsigned.to_length(len).len() > len + 8 {
                row += " - |";
                continue;
            }
            row += &format!(" {ratio:.2} |");
            last = status;
            if ratio > dearest.0 {
                *dearest = (ratio, name);
            }
        }
        println!("| {name} ({last}) |{row}");
    }
    let row: Vec<_> = dearest.iter().map(|(ratio, name)| format!("{ratio:.2} {name}")).collect();
    println!("| **dearest** | {} |", row.join(" | "));
}
