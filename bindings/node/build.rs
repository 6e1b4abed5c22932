//! Links as Node expects it of an addon.

fn main() {
    napi_build::setup();
    // Node unloads an addon with the worker that loaded it. The threads of an open log would lose their code.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
