//! Writes the seed corpora, from the test vectors and the committed regressions.

use std::path::Path;
use std::{fs, io};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for target in ["token", "json", "mutation", "revocation_story", "c_calls"] {
        let corpus = root.join("corpus").join(target);
        fs::create_dir_all(&corpus)?;
        for file in fs::read_dir(root.join("regressions").join(target))? {
            let file = file?;
            fs::copy(file.path(), corpus.join(file.file_name()))?;
        }
    }
    let mut count = 0;
    for file in fs::read_dir(root.join("../tests/vectors"))? {
        let path = file?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let vectors: Vec<serde_json::Value> = serde_json::from_slice(&fs::read(path)?)?;
        for token in vectors.iter().filter_map(|vector| vector["token"].as_str()) {
            count += 1;
            fs::write(root.join(format!("corpus/token/vector-{count}")), [b"\0", token.as_bytes()].concat())?;
            let parts: Vec<_> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap_or_default()).collect();
            if let [header, payload, _] = parts.as_slice() {
                fs::write(root.join(format!("corpus/json/vector-{count}")), payload)?;
                let len = u8::try_from(header.len()).unwrap_or(0);
                fs::write(
                    root.join(format!("corpus/token/signed-{count}")),
                    [&[1, len], &header[..], payload].concat(),
                )?;
            }
        }
    }
    println!("{count} vectors made into seeds");
    Ok(())
}
