#![cfg_attr(fuzzing, no_main)]
//! libFuzzer's driver: `FOREBAY_FUZZ_TARGET=<name> cargo +nightly fuzz run libfuzzer`.

#[cfg(fuzzing)]
mod driven {
    use std::sync::LazyLock;

    use forebay_fuzz::{TARGETS, Target};

    static TARGET: LazyLock<&Target> = LazyLock::new(|| {
        let name = std::env::var("FOREBAY_FUZZ_TARGET").unwrap_or_default();
        let known: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        (TARGETS.iter().find(|target| target.name == name))
            .unwrap_or_else(|| panic!("FOREBAY_FUZZ_TARGET is `{name}`, not one of {known:?}"))
    });

    libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
}

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("this one needs nightly: cargo +nightly fuzz run libfuzzer; see fuzz/README.md");
    std::process::exit(2);
}
