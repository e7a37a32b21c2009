//! The commands as processes: the upstream answers, the clients count right, and a stall is not hidden.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Upstream {
    process: Child,
    address: String,
}

impl Upstream {
    fn start(options: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_weft-load"))
            .arg("upstream")
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the upstream starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening ").expect("it says where").to_owned();
        Self { process, address }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn load(command: &str, address: &str, options: &[&str]) -> String {
    let run = Command::new(env!("CARGO_BIN_EXE_weft-load"))
        .args([command, "--addr", address])
        .args(options)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(run.status.success());
    String::from_utf8(run.stdout).unwrap()
}

fn number(json: &str, name: &str) -> f64 {
    let (_, rest) = json.split_once(&format!("\"{name}\":")).expect("every number is in the line");
    rest.split([',', '}']).next().unwrap().parse().unwrap()
}

#[test]
fn a_closed_loop_ends_at_its_number_of_requests_without_errors() {
    let upstream = Upstream::start(&["--port", "0"]);
    let json = load("closed", &upstream.address, &["--connections", "8", "--seconds", "30", "--requests", "5000"]);
    assert!((5000.0..5008.0).contains(&number(&json, "requests")), "{json}");
    assert_eq!(number(&json, "errors"), 0.0, "{json}");
}

#[test]
fn a_body_of_another_length_is_an_error_with_its_reason() {
    let upstream = Upstream::start(&["--port", "0", "--bytes", "10"]);
    let json = load("closed", &upstream.address, &["--connections", "1", "--seconds", "30"]);
    assert_eq!(number(&json, "errors"), 1000.0, "{json}");
    assert!(json.contains("a body of 10 bytes"), "{json}");
}

#[test]
fn big_answers_arrive_whole_over_a_unix_socket() {
    let path = std::env::temp_dir().join(format!("weft-load-{}.sock", std::process::id()));
    let upstream = Upstream::start(&["--unix", path.to_str().unwrap()]);
    let options = ["--connections", "4", "--seconds", "30", "--requests", "200"];
    let json = load(
        "closed",
        &upstream.address,
        &[&options[..], &["--path", "/bytes/3000000", "--bytes", "3000000"]].concat(),
    );
    assert_eq!(number(&json, "errors"), 0.0, "{json}");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn an_open_loop_sends_its_whole_schedule() {
    let upstream = Upstream::start(&["--port", "0"]);
    let json = load("open", &upstream.address, &["--connections", "4", "--seconds", "0.5", "--rate", "1000"]);
    assert_eq!(number(&json, "requests"), 500.0, "{json}");
    assert_eq!(number(&json, "errors"), 0.0, "{json}");
}

#[test]
fn an_open_loop_shows_a_stall_in_full() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answering = std::thread::spawn(move || answer_with_a_stall(listener.accept().unwrap().0));
    // One connection: during the stall of 300 ms every request of the schedule waits for it.
    let options = ["--connections", "1", "--seconds", "0.6", "--rate", "500", "--bytes", "2"];
    let json = load("open", &address, &options);
    answering.join().unwrap();
    assert_eq!(number(&json, "requests"), 300.0, "{json}");
    assert!(number(&json, "max_us") >= 290_000.0, "{json}");
    // About half of the schedule fell into the stall and waited for 150 ms on average.
    assert!(number(&json, "p90_us") >= 150_000.0, "{json}");
    assert!(number(&json, "queued_sends") >= 100.0, "{json}");
}

/// Answers each request, but is deaf for 300 ms from the 50th on: the stall is what is tested.
fn answer_with_a_stall(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    let mut answered = 0;
    while stream.read(&mut buffer).unwrap() > 0 {
        answered += 1;
        if answered == 50 {
            let end = Instant::now() + Duration::from_millis(300);
            while Instant::now() < end {
                std::thread::park_timeout(end - Instant::now());
            }
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
    }
}

#[test]
fn idle_connections_are_held_and_counted() {
    let upstream = Upstream::start(&["--port", "0"]);
    let text = load("idle", &upstream.address, &["--connections", "300", "--hold", "0.1"]);
    let (first, json) = text.split_once('\n').unwrap();
    assert_eq!(first, "holding");
    assert_eq!((number(json, "connections"), number(json, "open")), (300.0, 300.0), "{json}");
}
