//! What came of a minute: how long answers took, how many requests failed, who was asked how often.

/// What came of a minute.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// µs, of each request that was answered.
    answered_us: Vec<u64>,
    /// Requests that were answered with an error, or not in time.
    pub failed: u32,
    /// Requests by endpoint.
    pub asked: Vec<u32>,
}

impl Summary {
    pub(crate) fn ended(&mut self, took_us: u64, well: bool) {
        if well {
            self.answered_us.push(took_us);
        } else {
            self.failed += 1;
        }
    }

    /// Requests in all.
    pub fn requests(&self) -> usize {
        self.answered_us.len() + self.failed as usize
    }

    /// The time within which this part of the answers came, ms.
    pub fn percentile_ms(&self, part: f64) -> f64 {
        let mut sorted = self.answered_us.clone();
        sorted.sort_unstable();
        let place = ((sorted.len() as f64 * part).ceil() as usize).saturating_sub(1);
        sorted.get(place).map_or(0.0, |us| *us as f64 / 1_000.0)
    }
}
