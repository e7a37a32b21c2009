//! Time as endpoints remember it: milliseconds of one clock of the process.

use std::sync::OnceLock;
use std::time::Instant;

/// Milliseconds since the process first asked. 0 comes before every moment that [`Moment::now`] gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl Moment {
    /// This one; on a worker's thread that of its loop's pass, which costs no system call.
    pub fn now() -> Self {
        static BEGIN: OnceLock<Instant> = OnceLock::new();
        let now = weft_rt::now();
        let begin = BEGIN.get_or_init(|| now);
        Self(now.saturating_duration_since(*begin).as_millis() as u64 + 1)
    }

    /// Milliseconds since an earlier one; 0 where that is not earlier.
    pub fn since(self, earlier: Moment) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
