//! Links libuv where the process does not bring its own, as Node does.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_LINK_UV").is_some() {
        println!("cargo::rustc-link-lib=uv");
    }
}
