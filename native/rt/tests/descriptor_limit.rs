//! Out of descriptors: a process-wide limit, therefore a test file of one test.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, wherever its code stands"
)]

mod kit;

use std::fs::File;
use std::net::TcpStream;

use kit::{accept, listen};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use weft_rt::{Listener, now, spawn};

async fn accepting_pauses_without_descriptors_and_goes_on_with_them() {
    let (mut listener, addr) = listen();
    let far = TcpStream::connect(addr).unwrap();
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    let (pauses, start) = (Listener::accept_pauses(), now());
    spawn(async move {
        // Twice the pause: the first must be over before there is a descriptor.
        weft_rt::sleep(std::time::Duration::from_millis(150)).await;
        drop(taken);
    })
    .detach();
    accept(&mut listener).await;
    assert!(Listener::accept_pauses() >= pauses + 2);
    assert!(now() - start >= std::time::Duration::from_millis(200));
    drop(far);
}

#[test]
fn a_listener_survives_the_descriptor_limit_on_both_back_ends() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: limit.maximum }).unwrap();
    weft_rt::tokio_rt::run(accepting_pauses_without_descriptors_and_goes_on_with_them());
    #[cfg(feature = "link-uv")]
    weft_rt::uv::run(accepting_pauses_without_descriptors_and_goes_on_with_them());
}
