//! Link settings of the addon.
fn main() {
    napi_build::setup();
    // The addon's statics outlive every environment that loads it: unloading it would pull code from under live handles.
    println!("cargo:rustc-link-arg-cdylib=-Wl,-z,nodelete");
}
