//! The bounds of a cluster, with what is counted against them.

use super::Compiler;
use crate::snapshot::{CircuitBreaker, Cluster};
use crate::upstream::limit::{Adaptive, Breaker, Budget, Limits};

impl Compiler<'_> {
    pub(super) fn limits(&mut self, dto: &Cluster) -> Limits {
        let breaker = dto.circuit_breaker.as_ref();
        Limits {
            budget: Budget {
                percent: dto.retry_budget.percent,
                min_concurrency: dto.retry_budget.min_concurrency,
                max_retries: breaker.and_then(|breaker| breaker.max_retries),
            },
            retries: self.books.limits.retries(&dto.name),
            adaptive: dto
                .adaptive_concurrency
                .map(|settings| Box::new(Adaptive { settings, state: self.books.limits.adaptive(&dto.name) })),
            breaker: breaker.map(|breaker| Box::new(self.breaker(&dto.name, breaker))),
        }
    }

    fn breaker(&mut self, cluster: &str, dto: &CircuitBreaker) -> Breaker {
        let CircuitBreaker { max_connections, max_pending, max_requests, max_retries: _, trip: _ } = *dto;
        let bound = |max: u32| (max > 0).then_some(max);
        Breaker {
            max_requests: bound(max_requests),
            max_connections: bound(max_connections),
            max_pending,
            state: self.books.limits.breaker(cluster),
        }
    }
}
