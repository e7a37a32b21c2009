//! What became of the attempts of one exchange: their order, timing and cause, and whom the balancer compared.
//!
//! Flow: `account` keeps [`Attempt`]s and [`Candidate`]s → [`frame`] lays them out once, at the end → the ring stores the
//! bytes behind the texts → [`Trail::read`]. Invariants: an exchange with one attempt and no comparison stores nothing,
//! for its record's head tells it all; what is stored is bounded whatever a retry policy allows.

use serde::Serialize;
use smallvec::SmallVec;

use super::Address;

/// Attempts that a record tells about; the record's head counts them all.
const MAX_ATTEMPTS: usize = 16;
/// Compared endpoints that a record tells about.
const MAX_CANDIDATES: usize = 32;
/// Bytes of the sentence about a failure.
const MAX_DETAIL: usize = 200;

/// Entries stand behind the recorded headers, whose first byte is their place in the configured list.
pub(super) const DETAIL: u8 = 0xfd;
const ATTEMPT: u8 = 0xfe;
const CANDIDATES: u8 = 0xff;
/// Headers of a record are numbered below this.
pub const MAX_HEADERS: usize = DETAIL as usize;

const ATTEMPT_BYTES: usize = 35;
const CANDIDATE_BYTES: usize = 7;

/// One attempt. Times count from the exchange's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When it began, µs.
    pub started_us: u32,
    /// How long connecting took, µs; 0 for a connection that was reused, or that was never made.
    pub connect_us: u32,
    /// When its answer's first byte came or it failed, µs.
    pub ended_us: u32,
    /// Index of the endpoint in its cluster.
    pub endpoint: u16,
    /// Status that the endpoint sent; 0 for none.
    pub status: u16,
    /// Where it went.
    pub upstream: Address,
    /// Kind of the error that ended it, 0 for none.
    pub cause: u8,
}

/// An endpoint that the balancer compared with others for an attempt; the lowest score was picked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// Number of the attempt, from 0.
    pub attempt: u8,
    /// Index of the endpoint in its cluster.
    pub endpoint: u16,
    /// What the balancer compared: lower is better.
    pub score: f32,
}

/// Bytes as the ring takes them.
pub type Framed = SmallVec<[u8; 64]>;

/// Lays out what the record's head has no room for.
pub fn frame(detail: &str, attempts: &[Attempt], candidates: &[Candidate]) -> Framed {
    let mut out = Framed::new();
    if !detail.is_empty() {
        let detail = detail.as_bytes();
        let detail = detail.get(..MAX_DETAIL).unwrap_or(detail);
        begin(&mut out, DETAIL, detail.len());
        out.extend_from_slice(detail);
    }
    for attempt in attempts.iter().take(MAX_ATTEMPTS) {
        begin(&mut out, ATTEMPT, ATTEMPT_BYTES);
        attempt.write(&mut out);
    }
    if !candidates.is_empty() {
        let count = candidates.len().min(MAX_CANDIDATES);
        begin(&mut out, CANDIDATES, count * CANDIDATE_BYTES);
        candidates.iter().take(count).for_each(|candidate| candidate.write(&mut out));
    }
    out
}

fn begin(out: &mut Framed, tag: u8, length: usize) {
    let [low, high] = (length as u16).to_le_bytes();
    out.extend_from_slice(&[tag, low, high]);
}

/// What [`frame`] laid out, read back.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trail {
    /// One plain sentence about the failure; empty for none.
    pub detail: String,
    /// The attempts, when there were several.
    pub attempts: Vec<Attempt>,
    /// Whom the balancer compared.
    pub candidates: Vec<Candidate>,
}

impl Trail {
    /// Takes one entry. False: it is none of a trail.
    pub(super) fn take(&mut self, tag: u8, bytes: &[u8]) -> bool {
        match tag {
            DETAIL => self.detail = String::from_utf8_lossy(bytes).into_owned(),
            ATTEMPT => self.attempts.extend(Attempt::read(bytes)),
            CANDIDATES => self.candidates.extend(bytes.chunks_exact(CANDIDATE_BYTES).filter_map(Candidate::read)),
            _ => return false,
        }
        true
    }
}

impl Attempt {
    fn write(&self, bytes: &mut Framed) {
        for number in [self.started_us, self.connect_us, self.ended_us] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for number in [self.endpoint, self.status, self.upstream.port] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.upstream.ip);
        bytes.push(self.cause);
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut bytes = bytes;
        let [started_us, connect_us, ended_us] = [take_u32(&mut bytes)?, take_u32(&mut bytes)?, take_u32(&mut bytes)?];
        let [endpoint, status, port] = [take_u16(&mut bytes)?, take_u16(&mut bytes)?, take_u16(&mut bytes)?];
        let (ip, rest) = bytes.split_first_chunk::<16>()?;
        let upstream = Address { ip: *ip, port };
        Some(Self { started_us, connect_us, ended_us, endpoint, status, upstream, cause: *rest.first()? })
    }
}

impl Candidate {
    fn write(&self, bytes: &mut Framed) {
        let [low, high] = self.endpoint.to_le_bytes();
        let [a, b, c, d] = self.score.to_le_bytes();
        bytes.extend_from_slice(&[self.attempt, low, high, a, b, c, d]);
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (attempt, mut rest) = bytes.split_first()?;
        let endpoint = take_u16(&mut rest)?;
        Some(Self { attempt: *attempt, endpoint, score: f32::from_bits(take_u32(&mut rest)?) })
    }
}

fn take_u16(bytes: &mut &[u8]) -> Option<u16> {
    let (number, rest) = bytes.split_first_chunk::<2>()?;
    *bytes = rest;
    Some(u16::from_le_bytes(*number))
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_and_candidates_keep_every_field() {
        let upstream = Address::from("10.1.2.3:9080".parse::<std::net::SocketAddr>().unwrap());
        let attempt =
            Attempt { started_us: 1, connect_us: 2, ended_us: 3, endpoint: 4, status: 503, upstream, cause: 9 };
        let mut bytes = Framed::new();
        attempt.write(&mut bytes);
        assert_eq!((bytes.len(), Attempt::read(&bytes)), (ATTEMPT_BYTES, Some(attempt)));
        let candidate = Candidate { attempt: 1, endpoint: 7, score: 2.5 };
        bytes.clear();
        candidate.write(&mut bytes);
        assert_eq!((bytes.len(), Candidate::read(&bytes)), (CANDIDATE_BYTES, Some(candidate)));
    }

    #[test]
    fn nothing_to_tell_takes_no_bytes() {
        assert!(frame("", &[], &[]).is_empty());
    }

    #[test]
    fn what_is_stored_is_bounded() {
        let framed = frame(&"d".repeat(1_000), &[Attempt::default(); 100], &[Candidate::default(); 100]);
        assert!(framed.len() < 1_100, "{}", framed.len());
    }
}
