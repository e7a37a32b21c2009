//! How many results of checks decide about an endpoint. Pure.

use crate::snapshot::{Finding, HealthCheck};

/// What one check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// As expected.
    Passed,
    /// No answer, a broken one, or none in time: it takes several to be sure.
    Failed,
    /// The endpoint itself says no: a status that is not expected, or nobody listens. Once is enough.
    Refused,
}

/// Counts results in a row.
pub(super) struct Verdict {
    healthy_threshold: u32,
    unhealthy_threshold: u32,
    /// Results in a row that speak against what is known.
    against: u32,
}

impl Verdict {
    pub(super) fn new(check: &HealthCheck) -> Self {
        let HealthCheck { healthy_threshold, unhealthy_threshold, .. } = *check;
        Self { healthy_threshold, unhealthy_threshold, against: 0 }
    }

    /// Results speak against what is known, and are not enough yet.
    pub(super) fn is_pending(&self) -> bool {
        self.against > 0
    }

    /// What is known after a result, given what was known before. The first result decides alone.
    pub(super) fn after(&mut self, known: Finding, outcome: Outcome) -> Finding {
        let (now, needed) = match (known, outcome) {
            (Finding::Unchecked | Finding::Pending, Outcome::Passed) => (Finding::Healthy, 1),
            (Finding::Unchecked | Finding::Pending, _) => (Finding::Unhealthy, 1),
            (Finding::Healthy, Outcome::Failed) => (Finding::Unhealthy, self.unhealthy_threshold),
            (Finding::Healthy, Outcome::Refused) => (Finding::Unhealthy, 1),
            (Finding::Unhealthy, Outcome::Passed) => (Finding::Healthy, self.healthy_threshold),
            (Finding::Healthy, Outcome::Passed) | (Finding::Unhealthy, _) => {
                self.against = 0;
                return known;
            }
        };
        self.against += 1;
        if self.against < needed {
            return known;
        }
        self.against = 0;
        now
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome::{Failed, Passed, Refused};
    use super::*;

    /// What is known after each of the results.
    fn course(begin: Finding, outcomes: &[Outcome]) -> Vec<Finding> {
        let mut verdict = Verdict { healthy_threshold: 2, unhealthy_threshold: 3, against: 0 };
        let mut known = begin;
        outcomes
            .iter()
            .map(|outcome| {
                known = verdict.after(known, *outcome);
                known
            })
            .collect()
    }

    #[test]
    fn the_first_result_decides_alone() {
        assert_eq!(course(Finding::Pending, &[Passed]), [Finding::Healthy]);
        assert_eq!(course(Finding::Pending, &[Failed]), [Finding::Unhealthy]);
    }

    #[test]
    fn a_healthy_endpoint_survives_fewer_failures_in_a_row_than_the_threshold() {
        let wanted = [Finding::Healthy; 5];
        assert_eq!(course(Finding::Healthy, &[Failed, Failed, Passed, Failed, Failed]), wanted);
        let wanted = [Finding::Healthy, Finding::Healthy, Finding::Unhealthy];
        assert_eq!(course(Finding::Healthy, &[Failed, Failed, Failed]), wanted);
    }

    #[test]
    fn an_unexpected_status_is_enough() {
        assert_eq!(course(Finding::Healthy, &[Refused]), [Finding::Unhealthy]);
    }

    #[test]
    fn an_unhealthy_endpoint_needs_successes_in_a_row() {
        let wanted = [Finding::Unhealthy, Finding::Unhealthy, Finding::Unhealthy, Finding::Healthy];
        assert_eq!(course(Finding::Unhealthy, &[Passed, Refused, Passed, Passed]), wanted);
    }
}
