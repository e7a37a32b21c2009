//! The value of the line, version 1: `v=1;id=ISSUER-NUMBER;at=MS;left=MS;retries=N;hop=N;sig=SIGNATURE`.
//!
//! `id`: 16 digits that name the hop's process, and the number of this token of its, both hexadecimal. `at`: when it was
//! written, ms since 1970. `left`: the time that the caller waits from then on, ms; 0: without end. It is a span and not
//! a moment, so that clocks that differ do not cut it. `sig`: HMAC-SHA256 (RFC 2104) over all before `;sig=`, base64url
//! without padding. Another version is refused, as is anything that is not written exactly so.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use sha2::Sha256;

use super::seen::Seen;

/// How far a token's time may lie from now. Clocks of hops may differ by as much.
const WINDOW_MS: u64 = 30_000;
/// No token is longer.
const MAX_BYTES: usize = 256;
/// Bytes of a signature, as text.
const SIGNATURE: usize = 43;

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// How long its writer waits.
    pub left_ms: Option<u64>,
    /// Retries that it may cause.
    pub retries: u32,
    /// Hops that have seen the request.
    pub hop: u8,
}

/// Why a line is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// No key signs it.
    Forged,
    /// It was seen before.
    Replayed,
    /// It was written too long ago, or by a clock that is too far ahead.
    Expired,
}

/// Writes and checks lines. One for each file of keys in a process.
pub struct Signer {
    /// The first one signs.
    keys: Box<[Hmac<Sha256>]>,
    state: std::sync::Arc<Issuing>,
}

/// What outlives a change of keys.
pub struct Issuing {
    issuer: u64,
    next: AtomicU64,
    seen: Mutex<Seen>,
}

impl Default for Issuing {
    fn default() -> Self {
        Self { issuer: fastrand::u64(..), next: AtomicU64::new(0), seen: Mutex::new(Seen::new(2 * WINDOW_MS)) }
    }
}

impl Signer {
    /// With keys of its own, for one that shares nothing with earlier ones.
    pub fn new(keys: &[&str]) -> Self {
        Self::with(keys, std::sync::Arc::default())
    }

    /// With these keys, of which the first signs.
    pub fn with(keys: &[&str], state: std::sync::Arc<Issuing>) -> Self {
        // HMAC takes keys of any length.
        let keyed = keys.iter().filter_map(|key| Hmac::new_from_slice(key.as_bytes()).ok());
        Self { keys: keyed.collect(), state }
    }

    /// Writes a token that was never written before.
    pub fn write(&self, token: &Token, unix_ms: u64, out: &mut Vec<u8>) {
        let start = out.len();
        let (issuer, number) = (self.state.issuer, self.state.next.fetch_add(1, Relaxed));
        let Token { left_ms, retries, hop } = *token;
        let left = left_ms.unwrap_or(0);
        // Writing to a Vec cannot fail.
        let _ = write!(out, "v=1;id={issuer:016x}-{number:x};at={unix_ms};left={left};retries={retries};hop={hop}");
        let Some(mut mac) = self.keys.first().cloned() else { return };
        mac.update(out.get(start..).unwrap_or_default());
        let mut signature = [0; SIGNATURE];
        let written = URL_SAFE_NO_PAD.encode_slice(mac.finalize().into_bytes(), &mut signature);
        if written.is_ok() {
            out.extend_from_slice(b";sig=");
            out.extend_from_slice(&signature);
        }
    }

    /// What a line says, if it is to be believed; from now on it is not any more.
    pub fn take(&self, line: &[u8], unix_ms: u64) -> Result<Token, Ignored> {
        let read = self.signed(line).and_then(read).ok_or(Ignored::Forged)?;
        if read.at.abs_diff(unix_ms) > WINDOW_MS {
            return Err(Ignored::Expired);
        }
        let new = self.state.seen.lock().is_new(read.issuer, read.number, unix_ms);
        new.then_some(read.token).ok_or(Ignored::Replayed)
    }

    /// The text before a signature that one of the keys has made.
    fn signed<'a>(&self, line: &'a [u8]) -> Option<&'a str> {
        let behind = b";sig=".len() + SIGNATURE;
        let (text, signature) = line.split_at_checked(line.len().checked_sub(behind)?)?;
        if line.len() > MAX_BYTES {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature.strip_prefix(b";sig=")?).ok()?;
        let made = |key: &Hmac<Sha256>| {
            let mut mac = key.clone();
            mac.update(text);
            // In constant time.
            mac.verify_slice(&signature).is_ok()
        };
        if self.keys.iter().any(made) { str::from_utf8(text).ok() } else { None }
    }
}

struct Read {
    issuer: u64,
    number: u64,
    at: u64,
    token: Token,
}

fn read(text: &str) -> Option<Read> {
    let mut fields = text.split(';');
    let mut field = |name: &str| fields.next().and_then(|field| field.strip_prefix(name)?.strip_prefix('='));
    if field("v")? != "1" {
        return None;
    }
    let (issuer, number) = field("id")?.split_once('-')?;
    let (issuer, number) = (u64::from_str_radix(issuer, 16).ok()?, u64::from_str_radix(number, 16).ok()?);
    let at = field("at")?.parse().ok()?;
    let left: u64 = field("left")?.parse().ok()?;
    let token = Token {
        left_ms: (left > 0).then_some(left),
        retries: field("retries")?.parse().ok()?,
        hop: field("hop")?.parse().ok()?,
    };
    fields.next().is_none().then_some(Read { issuer, number, at, token })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "a key of this test";
    const TOKEN: Token = Token { left_ms: Some(850), retries: 2, hop: 1 };
    const NOW: u64 = 1_795_219_200_000;

    fn written(signer: &Signer, token: &Token) -> Vec<u8> {
        let mut out = Vec::new();
        signer.write(token, NOW, &mut out);
        out
    }

    #[test]
    fn a_token_is_believed_once_by_whoever_has_the_key() {
        let (one, other) = (Signer::new(&[KEY]), Signer::new(&["another key of it", KEY]));
        let line = written(&one, &TOKEN);
        assert_eq!(other.take(&line, NOW + 5), Ok(TOKEN));
        assert_eq!(other.take(&line, NOW + 6), Err(Ignored::Replayed));
        assert_eq!(Signer::new(&["another key of it"]).take(&line, NOW), Err(Ignored::Forged));
        assert_eq!(other.take(&written(&one, &Token { left_ms: None, ..TOKEN }), NOW).unwrap().left_ms, None);
    }

    #[test]
    fn a_token_of_another_time_is_not_believed() {
        let signer = Signer::new(&[KEY]);
        let taken = |ms: u64| signer.take(&written(&signer, &TOKEN), ms);
        assert_eq!(taken(NOW + WINDOW_MS + 1), Err(Ignored::Expired));
        assert_eq!(taken(NOW - WINDOW_MS - 1), Err(Ignored::Expired));
        assert_eq!((taken(NOW + WINDOW_MS), taken(NOW - WINDOW_MS)), (Ok(TOKEN), Ok(TOKEN)));
    }

    #[test]
    fn the_form_of_version_1_is_this() {
        let signer = Signer::with(
            &[KEY],
            std::sync::Arc::new(Issuing { issuer: 0xabc, next: AtomicU64::new(31), ..Issuing::default() }),
        );
        let text = String::from_utf8(written(&signer, &TOKEN)).unwrap();
        let expected = "v=1;id=0000000000000abc-1f;at=1795219200000;left=850;retries=2;hop=1;sig=";
        assert_eq!(text.get(..expected.len()), Some(expected));
        assert_eq!(text.len(), expected.len() + SIGNATURE);
    }

    #[test]
    fn what_a_key_signs_but_is_not_of_this_form_is_not_believed() {
        let signer = Signer::new(&[KEY]);
        for text in [
            "v=2;id=0-0;at=1795219200000;left=1;retries=1;hop=1",
            "v=1;id=0-0;at=1795219200000;left=1;retries=1;hop=1;more=1",
            "v=1;id=0-0;at=1795219200000;left=1;retries=1;hop=256",
            "v=1;id=0-0;at=1795219200000;retries=1;left=1;hop=1",
            "v=1",
            "",
        ] {
            let mut mac = signer.keys[0].clone();
            mac.update(text.as_bytes());
            let line = format!("{text};sig={}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
            assert_eq!(signer.take(line.as_bytes(), NOW), Err(Ignored::Forged), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_client_writes_is_forged(line in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(Signer::new(&[KEY]).take(&line, NOW), Err(Ignored::Forged));
        }

        #[test]
        fn a_changed_byte_is_a_forgery(at in any::<prop::sample::Index>(), change in 1_u8..) {
            let signer = Signer::new(&[KEY]);
            let mut line = written(&signer, &TOKEN);
            let at = at.index(line.len());
            line[at] ^= change;
            prop_assert_eq!(signer.take(&line, NOW), Err(Ignored::Forged));
        }
    }
}
