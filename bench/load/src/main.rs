//! weft-load: the two ends of a benchmark. `upstream` answers, `closed`, `open` and `idle` ask; the proxy under
//! measurement stands between them.
//!
//! One thread and one epoll per command, no unsafe code, every loop bounded in count or time. Clients print one line
//! of JSON on standard output; a wrong answer is counted, never ignored.
#![forbid(unsafe_code)]

mod answer;
mod arguments;
mod client;
mod closed;
mod histogram;
mod idle;
mod open;
mod poller;
mod request;
mod socket;
mod upstream;

use std::process::ExitCode;

use arguments::{Arguments, Fault};
use rustix::process::{Resource, getrlimit, setrlimit};

const USAGE: &str = "usage:
  weft-load upstream (--port P [--host 127.0.0.1] | --unix PATH) [--bytes 1024]
  weft-load closed --addr A --connections C --seconds S [--requests N] [--path /] [--bytes 1024]
  weft-load open   --addr A --connections C --seconds S --rate R [--path /] [--bytes 1024]
  weft-load idle   --addr A --connections N --hold SECONDS [--path /] [--bytes 1024]
A is 127.0.0.1:8080 or unix:/run/app.sock; --bytes is the length of the answer's body.";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    match run(&command, words.collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Fault::Usage(reason)) => {
            eprintln!("weft-load {command}: {reason}\n{USAGE}");
            ExitCode::from(2)
        }
        Err(Fault::Io(error)) => {
            eprintln!("weft-load {command}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str, words: Vec<String>) -> Result<(), Fault> {
    let arguments = Arguments::parse(words)?;
    raise_descriptor_limit();
    // What is measured is the proxy's wait for a core, not ours. Refused, ours is in the figure, too.
    let _ = weft_rt::ask_for_short_slices();
    match command {
        "upstream" => upstream::run(arguments),
        "closed" => closed::run(arguments),
        "open" => open::run(arguments),
        "idle" => idle::run(arguments),
        _ => Err(Fault::Usage("no such command".into())),
    }
}

/// Thousands of connections need thousands of descriptors: takes what the hard limit grants.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Refused, the old limit stands, and whoever exceeds it hears so from the system.
    let _ = setrlimit(Resource::Nofile, limit);
}
