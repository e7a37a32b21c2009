//! What a request may still cost: time and retries, as the hops before this one say in `x-weft-budget`.
//!
//! Each hop of a chain that has the filter `budget` takes the line off the request, and puts a line of its own on each
//! attempt: what is left of the caller's time, and the retries that the attempt may still cause behind it. An answer says
//! how many it did cause. So a request that may cause n retries never reaches the last service more than n + 1 times,
//! however many hops would retry it: what an attempt was given is not used again before its answer has told that it was
//! not needed. An endpoint that has never told anything is taken for a service that retries nothing.

mod seen;
mod token;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use token::{Ignored, Issuing, Signer, Token};

/// The line's name, on requests and on answers.
pub const LINE: &[u8] = b"x-weft-budget";

/// What a request may still cost.
pub struct Allowance {
    /// When its caller stops waiting.
    pub ends: Option<Instant>,
    /// Its caller is told how many retries were used.
    pub told: bool,
    /// Retries that it may still cause, here and behind.
    left: u32,
    /// Retries that it has caused, here and behind.
    used: u32,
    /// What the attempt that is under way was given of them.
    lent: u32,
    /// Hops before this one.
    hop: u8,
    signer: Arc<Signer>,
}

impl Allowance {
    /// Of a request that brought none.
    pub fn first(retries: u32, signer: &Arc<Signer>) -> Self {
        Self { ends: None, told: false, left: retries, used: 0, lent: 0, hop: 0, signer: Arc::clone(signer) }
    }

    /// Of one that did.
    pub fn granted(token: &Token, now: Instant, signer: &Arc<Signer>) -> Self {
        Self {
            ends: token.left_ms.map(|ms| now + Duration::from_millis(ms)),
            told: true,
            left: token.retries,
            used: 0,
            lent: 0,
            hop: token.hop,
            signer: Arc::clone(signer),
        }
    }

    /// Retries that it has caused so far.
    pub fn used(&self) -> u32 {
        self.used
    }

    /// Takes one retry; false: none is left.
    pub fn take_retry(&mut self) -> bool {
        let any = self.left > 0;
        if any {
            self.left -= 1;
            self.used += 1;
        }
        any
    }

    /// Takes a retry for an attempt beside the one that is under way: one that was not lent to that. False: there is none.
    pub fn take_spare(&mut self) -> bool {
        self.left > self.lent && self.take_retry()
    }

    /// What an attempt may cause behind it. One retry is kept back where there are more: should the next hop itself go
    /// down, with whatever it was given, another one can be asked.
    fn given(&self) -> u32 {
        if self.left > 1 { self.left - 1 } else { self.left }
    }

    /// The line of an attempt that begins now and is waited for until `ends`.
    pub fn write_line(&mut self, now: Instant, unix_ms: u64, ends: Option<Instant>, out: &mut Vec<u8>) {
        self.lent = self.given();
        self.write(self.lent, now, unix_ms, ends, out);
    }

    /// The line of an attempt beside another one, which has been given all there is.
    pub fn write_bare_line(&self, now: Instant, unix_ms: u64, ends: Option<Instant>, out: &mut Vec<u8>) {
        self.write(0, now, unix_ms, ends, out);
    }

    fn write(&self, retries: u32, now: Instant, unix_ms: u64, ends: Option<Instant>, out: &mut Vec<u8>) {
        // Rounded up: nothing left would read as no bound.
        let left = |at: Instant| at.saturating_duration_since(now).as_millis() as u64 + 1;
        let token = Token { left_ms: ends.map(left), retries, hop: self.hop.saturating_add(1) };
        out.extend_from_slice(LINE);
        out.extend_from_slice(b": ");
        self.signer.write(&token, unix_ms, out);
        out.extend_from_slice(b"\r\n");
    }

    /// An attempt was answered; `told` is the answer's line.
    pub fn answered(&mut self, told: Option<u32>) {
        // An answer cannot have used more than it was given.
        self.spend(told.unwrap_or(0).min(self.lent));
    }

    /// An attempt that was sent ended without an answer; `teller`: its endpoint passes budgets on, so that all that it
    /// was given may be used.
    pub fn lost(&mut self, teller: bool) {
        self.spend(if teller { self.lent } else { 0 });
    }

    fn spend(&mut self, retries: u32) {
        self.lent = 0;
        self.left = self.left.saturating_sub(retries);
        self.used = self.used.saturating_add(retries);
    }
}

/// How many retries an answer's line says were used.
pub fn used(line: &[u8]) -> Option<u32> {
    str::from_utf8(line.strip_prefix(b"used=")?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allowance(retries: u32) -> Allowance {
        Allowance::first(retries, &Arc::new(Signer::new(&["0123456789abcdef"])))
    }

    /// An attempt begins.
    fn lend(own: &mut Allowance) -> u32 {
        own.write_line(Instant::now(), 0, None, &mut Vec::new());
        own.lent
    }

    #[test]
    fn an_attempt_beside_another_takes_what_that_was_not_given() {
        let mut own = allowance(2);
        assert_eq!((lend(&mut own), own.take_spare(), own.take_spare()), (1, true, false));
        own.lost(true);
        assert_eq!((own.left, own.used), (0, 2));
        let mut one = allowance(1);
        assert_eq!((lend(&mut one), one.take_spare()), (1, false));
    }

    #[test]
    fn one_retry_is_kept_back_where_there_are_more() {
        let mut own = allowance(3);
        lend(&mut own);
        own.lost(true);
        assert_eq!((own.left, own.used, own.given()), (1, 2, 1));
        assert!(own.take_retry());
        assert_eq!((own.given(), own.used()), (0, 3));
        assert!(!own.take_retry());
    }

    #[test]
    fn an_answer_tells_what_it_used_and_never_more_than_it_was_given() {
        let mut own = allowance(5);
        lend(&mut own);
        own.answered(Some(1));
        assert_eq!((own.left, own.used), (4, 1));
        lend(&mut own);
        own.answered(Some(1_000));
        assert_eq!((own.left, own.used), (1, 4));
        own.lost(false);
        own.answered(None);
        assert_eq!((own.left, own.used), (1, 4));
    }

    #[test]
    fn the_line_of_an_answer_is_a_number() {
        assert_eq!(
            (used(b"used=3"), used(b"used=-1"), used(b"3"), used(b"used=99999999999")),
            (Some(3), None, None, None)
        );
    }

    /// A hop makes its first attempt and as many retries as it likes; the last one counts what reaches the service.
    fn reached(depth: u32, own: &mut Allowance, endings: &mut impl Iterator<Item = u8>) -> u32 {
        if depth == 0 {
            return 1;
        }
        let mut sum = 0;
        loop {
            let mut behind = allowance(lend(own));
            sum += reached(depth - 1, &mut behind, endings);
            match endings.next().unwrap_or(0) % 3 {
                0 => return sum,
                1 => own.answered(Some(behind.used)),
                _ => own.lost(depth > 1),
            }
            if !own.take_retry() {
                return sum;
            }
        }
    }

    proptest! {
        /// Whatever fails wherever, and however often each hop would retry.
        #[test]
        fn a_service_is_never_asked_more_often_than_the_first_hop_allowed(
            retries in 0_u32..12,
            depth in 1_u32..6,
            endings in prop::collection::vec(1_u8..3, 300),
        ) {
            prop_assert!(reached(depth, &mut allowance(retries), &mut endings.into_iter()) <= retries + 1);
        }
    }
}
