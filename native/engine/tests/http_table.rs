//! The tables of `test/conformance` against the codec: each case whole, byte by byte and split at every position.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic")]

use serde::Deserialize;
use serde_json::Value;
use weft_engine::http::body::BodyDecoder;
use weft_engine::http::forward::{
    Connection, ForwardRequest, ForwardResponse, RequestChanges, encode_request, encode_response,
};
use weft_engine::http::framing::{
    Framing, downstream_framing, expects_continue, request_framing, request_keep_alive, response_framing,
    response_keep_alive, wants_upgrade,
};
use weft_engine::http::head::{Method, RequestHead, ResponseHead, Version};
use weft_engine::http::parse::{HeadLimits, Parsed, parse_request, parse_response};

const LIMITS: HeadLimits = HeadLimits { max_bytes: 65536, max_fields: 100 };
const MAX_TRAILER_BYTES: usize = 65536;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    rfc: String,
    raw: Raw,
    expect: Value,
    closes: bool,
    line: Option<String>,
    #[serde(default)]
    has: Vec<String>,
    #[serde(default)]
    lacks: Vec<String>,
    body: Option<String>,
    trailers: Option<String>,
    method: Option<String>,
    #[serde(default)]
    informational: Vec<u16>,
    #[serde(default)]
    end: bool,
}

/// Latin-1 text, or pieces of it of which some are repeated.
#[derive(Deserialize)]
#[serde(untagged)]
enum Raw {
    Text(String),
    Pieces(Vec<Piece>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Piece {
    Text(String),
    Repeated(String, usize),
}

impl Raw {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => latin1(text),
            Self::Pieces(pieces) => pieces
                .iter()
                .flat_map(|piece| match piece {
                    Piece::Text(text) => latin1(text),
                    Piece::Repeated(text, times) => latin1(text).repeat(*times),
                })
                .collect(),
        }
    }
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|char| u8::try_from(u32::from(char)).expect("cases are latin-1")).collect()
}

#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    /// The bytes are not a whole message yet.
    Wait,
    /// A request is answered with that status, an answer is 502.
    Refused(u16),
    /// An answer broke after its head had been passed on.
    Abort,
    Passed {
        head: Vec<u8>,
        body: Vec<u8>,
        trailers: Vec<u8>,
        closes: bool,
        informational: Vec<u16>,
    },
}

#[derive(Default)]
struct Reader {
    buffer: Vec<u8>,
    decoder: Option<BodyDecoder>,
    head: Vec<u8>,
    body: Vec<u8>,
    informational: Vec<u16>,
    closes: bool,
    done: bool,
}

impl Reader {
    fn request(&mut self) -> Result<bool, u16> {
        let mut head = RequestHead::new();
        let Parsed::Complete(taken) =
            parse_request(&self.buffer, LIMITS, &mut head).map_err(|refusal| refusal.status)?
        else {
            return Ok(false);
        };
        let framing = request_framing(&head).map_err(|refusal| refusal.status)?;
        let fwd = ForwardRequest {
            client: "127.0.0.1",
            scheme: "http",
            request_id: None,
            framing,
            upgrade: wants_upgrade(&head),
            expect_continue: expects_continue(&head),
            changes: RequestChanges::NONE,
        };
        self.head.clear();
        encode_request(&head, &fwd, &mut self.head);
        self.start_body(taken, framing, !request_keep_alive(&head));
        Ok(true)
    }

    /// Reads answers up to the final one, as the driver does.
    fn answer(&mut self, method: Method) -> Result<bool, u16> {
        loop {
            let mut head = ResponseHead::new();
            let Parsed::Complete(taken) = parse_response(&self.buffer, LIMITS, &mut head).map_err(|_| 502u16)? else {
                return Ok(false);
            };
            let framing = response_framing(&head, method).map_err(|_| 502u16)?;
            if head.status == 101 {
                return Err(502);
            }
            if head.status < 200 {
                self.informational.push(head.status);
                self.buffer.drain(..taken);
                continue;
            }
            let fwd = ForwardResponse {
                framing: downstream_framing(framing, Version::Http11),
                connection: Connection::KeepAlive,
                client_version: Version::Http11,
                date: "Thu, 01 Jan 1970 00:00:00 GMT",
                retries_spent: false,
                changes: None,
                added: b"",
            };
            encode_response(&head, &fwd, &mut self.head);
            self.start_body(taken, framing, framing == Framing::UntilClose || !response_keep_alive(&head));
            return Ok(true);
        }
    }

    fn start_body(&mut self, taken: usize, framing: Framing, closes: bool) {
        self.buffer.drain(..taken);
        self.closes = closes;
        self.decoder = Some(BodyDecoder::new(framing, MAX_TRAILER_BYTES));
    }

    /// False when the body is malformed.
    fn read_body(&mut self) -> bool {
        let Some(decoder) = &mut self.decoder else { return true };
        let mut at = 0;
        while !self.done {
            let Ok(step) = decoder.decode(&self.buffer[at..]) else { return false };
            self.body.extend_from_slice(&self.buffer[at..][step.data.clone()]);
            at += step.consumed;
            self.done = step.done;
            if step.consumed == 0 {
                break;
            }
        }
        self.buffer.drain(..at);
        true
    }

    fn passed(self, surplus_closes: bool) -> Outcome {
        let trailers = self.decoder.map(|decoder| decoder.trailers().to_vec()).unwrap_or_default();
        let closes = self.closes || (surplus_closes && !self.buffer.is_empty());
        Outcome::Passed { head: self.head, body: self.body, trailers, closes, informational: self.informational }
    }
}

fn read_request(pieces: &[&[u8]]) -> Outcome {
    let mut reader = Reader::default();
    for piece in pieces {
        reader.buffer.extend_from_slice(piece);
        if reader.decoder.is_none()
            && let Err(status) = reader.request()
        {
            return Outcome::Refused(status);
        }
        if !reader.read_body() {
            return Outcome::Refused(400);
        }
    }
    if reader.done { reader.passed(false) } else { Outcome::Wait }
}

fn read_answer(pieces: &[&[u8]], method: Method, end: bool) -> Outcome {
    let mut reader = Reader::default();
    for piece in pieces {
        reader.buffer.extend_from_slice(piece);
        if reader.decoder.is_none()
            && let Err(status) = reader.answer(method)
        {
            return Outcome::Refused(status);
        }
        if !reader.read_body() {
            return Outcome::Abort;
        }
    }
    match &reader.decoder {
        _ if reader.done => reader.passed(true),
        _ if !end => Outcome::Wait,
        None => Outcome::Refused(502),
        Some(decoder) if decoder.end_of_input().is_err() => Outcome::Abort,
        Some(_) => reader.passed(true),
    }
}

/// What differs between a case and its outcome, in words.
fn complaint(case: &Case, outcome: &Outcome) -> Option<String> {
    let Outcome::Passed { head, body, trailers, closes, informational } = outcome else {
        let expected = match (case.expect.as_u64(), case.expect.as_str()) {
            (Some(status), _) => Outcome::Refused(status as u16),
            (_, Some("wait")) => Outcome::Wait,
            (_, Some("abort")) => Outcome::Abort,
            _ => return Some(format!("{outcome:?} instead of {}", case.expect)),
        };
        return (*outcome != expected).then(|| format!("{outcome:?} instead of {expected:?}"));
    };
    if !matches!(case.expect.as_str(), Some("forward" | "ok")) {
        return Some(format!("passed instead of {}", case.expect));
    }
    let text: String = head.iter().map(|byte| char::from(*byte)).collect();
    let lines: Vec<&str> = text.split("\r\n").collect();
    let named = |line: &str, name: &str| line.split_once(':').is_some_and(|(own, _)| own.eq_ignore_ascii_case(name));
    let mut wrong = Vec::new();
    wrong.extend(case.line.iter().filter(|line| lines[0] != **line).map(|line| format!("not {line:?}")));
    wrong.extend(case.has.iter().filter(|line| !lines.contains(&line.as_str())).map(|line| format!("no {line:?}")));
    wrong.extend(
        case.lacks.iter().filter(|name| lines.iter().any(|line| *line == **name || named(line, name))).cloned(),
    );
    wrong.extend(case.body.iter().filter(|expected| latin1(expected) != *body).map(|_| format!("body {body:?}")));
    let expected_trailers = case.trailers.as_deref().unwrap_or_default();
    if *trailers != latin1(expected_trailers) || *closes != case.closes || *informational != case.informational {
        wrong.push(format!("closes {closes}, 1xx {informational:?}, trailers {}", trailers.escape_ascii()));
    }
    (!wrong.is_empty()).then(|| format!("{wrong:?} in {text:?}"))
}

/// Runs each case whole and in pieces; long ones are split at some hundred places instead of all.
fn run(table: &str, at_least: usize, read: impl Fn(&Case, &[&[u8]]) -> Outcome) {
    let cases: Vec<Case> = serde_json::from_str(table).unwrap();
    assert!(cases.len() >= at_least, "{} cases", cases.len());
    let mut failures = Vec::new();
    for case in &cases {
        let raw = case.raw.bytes();
        let whole = read(case, &[&raw]);
        failures.extend(complaint(case, &whole).map(|text| format!("{} (RFC {}): {text}", case.name, case.rfc)));
        let stride = raw.len() / 512 + 1;
        for at in (0..raw.len()).step_by(stride) {
            let (first, second) = raw.split_at(at);
            let split = read(case, &[first, second]);
            if split != whole {
                failures.push(format!("{}: split at {at}: {split:?}, whole: {whole:?}", case.name));
                break;
            }
        }
        let singly: Vec<&[u8]> = raw.chunks(stride).collect();
        if read(case, &singly) != whole {
            failures.push(format!("{}: fed in steps of {stride}: not {whole:?}", case.name));
        }
    }
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

#[test]
fn requests_come_out_as_the_table_says() {
    run(include_str!("../../../test/conformance/h1-requests.json"), 150, |_, pieces| read_request(pieces));
}

#[test]
fn answers_come_out_as_the_table_says() {
    run(include_str!("../../../test/conformance/h1-answers.json"), 80, |case, pieces| {
        let method = case.method.as_deref().map_or(Method::Get, |method| Method::of(method.as_bytes()));
        read_answer(pieces, method, case.end)
    });
}
