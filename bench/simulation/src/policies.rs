//! The balancers that are compared, as a configuration names them.

use weft_engine::snapshot::{LoadBalancer, SlowStart};

/// A balancer with its name.
#[derive(Clone, Copy)]
pub struct Policy {
    /// As in the table.
    pub name: &'static str,
    /// As the engine has it, with the defaults of a configuration.
    pub load_balancer: LoadBalancer,
}

const SLOW_START: Option<SlowStart> = Some(SlowStart { window_ms: 10_000, aggression: 1.0, min_weight_percent: 10.0 });

/// All of them.
pub const POLICIES: [Policy; 10] = [
    Policy { name: "random", load_balancer: LoadBalancer::Random {} },
    Policy { name: "round-robin", load_balancer: LoadBalancer::RoundRobin { slow_start: None } },
    Policy { name: "round-robin, slowStart 10s", load_balancer: LoadBalancer::RoundRobin { slow_start: SLOW_START } },
    Policy { name: "least-request", load_balancer: least_request(false) },
    Policy { name: "least-request, fullScan", load_balancer: least_request(true) },
    Policy { name: "peak-ewma", load_balancer: peak_ewma(2, None) },
    Policy { name: "peak-ewma, choices 4", load_balancer: peak_ewma(4, None) },
    Policy { name: "peak-ewma, slowStart 10s", load_balancer: peak_ewma(2, SLOW_START) },
    Policy {
        name: "ring-hash",
        load_balancer: LoadBalancer::RingHash { min_ring: 1024, max_ring: 8_388_608, bounded_load: None },
    },
    Policy {
        name: "maglev, boundedLoad 150%",
        load_balancer: LoadBalancer::Maglev { table_size: 65_537, bounded_load: Some(150) },
    },
];

const fn peak_ewma(choices: u8, slow_start: Option<SlowStart>) -> LoadBalancer {
    LoadBalancer::PeakEwma { choices, decay_ms: 10_000, default_rtt_ms: 30, penalty_ms: 5_000, slow_start }
}

const fn least_request(full_scan: bool) -> LoadBalancer {
    LoadBalancer::LeastRequest { choices: 2, full_scan, active_request_bias: None, slow_start: None }
}

/// One of them by its name.
pub fn policy(name: &str) -> Option<Policy> {
    POLICIES.into_iter().find(|policy| policy.name == name)
}
