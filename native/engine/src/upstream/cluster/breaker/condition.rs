//! A condition over what the breaker of an endpoint counts, in CEL: `consecutiveFailures > 5 || successRate < 80`.

use std::time::{Duration, Instant};

use super::state::Sample;
use super::window::Window;
use crate::snapshot::TripWhen;
use crate::snapshot::cel::{Cel, Environment, Fault, Kind, Mistake, Type, Value, Variable, Variables};

const CONSECUTIVE_FAILURES: u8 = 0;
const REQUESTS: u8 = 1;
const SUCCESS_RATE: u8 = 2;
const SLOW_RATE: u8 = 3;

static BREAKER: Environment = Environment {
    variables: &[
        Variable { path: "consecutiveFailures", kind: Kind::Value(Type::Int) },
        Variable { path: "requests", kind: Kind::Value(Type::Int) },
        Variable { path: "successRate", kind: Kind::Value(Type::Double) },
        Variable { path: "slowRate", kind: Kind::Value(Type::Double) },
    ],
};

/// A compiled condition.
#[derive(Debug, PartialEq)]
pub struct TripCondition {
    cel: Cel,
    window: Duration,
    over_us: u64,
}

impl TripCondition {
    /// Compiles it.
    pub fn compile(dto: &TripWhen) -> Result<Self, Mistake> {
        let cel = Cel::compile(&dto.condition, &BREAKER, &[Type::Bool])?;
        let over_us = u64::from(dto.over_ms) * 1000;
        Ok(Self { cel, window: Duration::from_millis(dto.window_ms.into()), over_us })
    }

    /// Counts an attempt. `Some` with what was counted: the condition holds.
    pub(super) fn count(&self, seen: &mut Seen, sample: Sample, streak: u32, now: Instant) -> Option<Numbers> {
        let refused = seen.refused.count(self.window, now, sample.refused);
        let slow = seen.slow.count(self.window, now, u64::from(sample.took_us) > self.over_us);
        let numbers =
            Numbers { streak, requests: refused.total, success: 100.0 - refused.percent(), slow: slow.percent() };
        self.cel.holds(&numbers).then_some(numbers)
    }
}

/// The windows that a condition looks at.
#[derive(Debug, Default)]
pub(super) struct Seen {
    refused: Window,
    slow: Window,
}

impl Seen {
    pub(super) fn clear(&mut self) {
        self.refused.clear();
        self.slow.clear();
    }
}

/// What a condition reads; rates are in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Numbers {
    pub(super) streak: u32,
    pub(super) requests: u32,
    pub(super) success: f64,
    pub(super) slow: f64,
}

impl Variables for Numbers {
    fn variable(&self, variable: u8) -> Result<Value<'_>, Fault> {
        match variable {
            CONSECUTIVE_FAILURES => Ok(Value::Int(self.streak.into())),
            REQUESTS => Ok(Value::Int(self.requests.into())),
            SUCCESS_RATE => Ok(Value::Double(self.success)),
            SLOW_RATE => Ok(Value::Double(self.slow)),
            _ => Err(Fault::Unknown),
        }
    }

    fn entry(&self, _map: u8, _key: &str) -> Option<Value<'_>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opens_at(condition: &str, samples: &[Sample]) -> Option<usize> {
        let dto = TripWhen { condition: condition.to_owned(), window_ms: 10_000, over_ms: 100 };
        let (condition, begin) = (TripCondition::compile(&dto).unwrap(), Instant::now());
        let (mut seen, mut streak) = (Seen::default(), 0);
        samples.iter().enumerate().position(|(at, sample)| {
            streak = if sample.failed { streak + 1 } else { 0 };
            condition.count(&mut seen, *sample, streak, begin + Duration::from_millis(at as u64)).is_some()
        })
    }

    #[test]
    fn a_condition_reads_what_the_breaker_counts() {
        let good = Sample { failed: false, refused: false, took_us: 1_000 };
        let bad = Sample { failed: true, refused: true, ..good };
        let slow = Sample { took_us: 100_001, ..good };
        assert_eq!(opens_at("consecutiveFailures > 2", &[bad, bad, good, bad, bad, bad]), Some(5));
        assert_eq!(opens_at("successRate < 60 && requests >= 4", &[bad, bad, good, good, good, good]), Some(3));
        assert_eq!(opens_at("slowRate > 50.0 && requests > 2", &[slow, good, slow]), Some(2));
        assert_eq!(opens_at("slowRate > 50.0 && requests > 9", &[slow; 9]), None);
    }

    #[test]
    fn a_condition_over_anything_else_is_refused() {
        let compile = |condition: &str| {
            let dto = TripWhen { condition: condition.to_owned(), window_ms: 1, over_ms: 1 };
            TripCondition::compile(&dto).map(drop).map_err(|mistake| mistake.to_string())
        };
        let known = "known: consecutiveFailures, requests, successRate, slowRate";
        assert_eq!(compile("request.size > 1"), Err(format!("column 8: there is no `request.size`; {known}")));
        assert_eq!(
            compile("requests").unwrap_err(),
            "column 1: is of type int, wanted bool; compare it with something"
        );
    }
}
