//! What is claimed of the balancers, held against the minutes that the table tells of.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use weft_simulation::policies::policy;
use weft_simulation::scenario::scenario;
use weft_simulation::summary::Summary;
use weft_simulation::world::play;

const SEEDS: [u64; 3] = [1, 2, 20_261_121];

fn minute(scenario_name: &str, policy_name: &str, seed: u64) -> Summary {
    play(&scenario(scenario_name).unwrap(), policy(policy_name).unwrap().load_balancer, seed)
}

#[test]
fn with_one_slow_endpoint_peak_ewma_beats_round_robin_five_times_at_p99() {
    for seed in SEEDS {
        let [peak, turns] = ["peak-ewma", "round-robin"].map(|name| minute("slow", name, seed).percentile_ms(0.99));
        assert!(peak * 5.0 <= turns, "p99 {peak} ms against {turns} ms, seed {seed}");
    }
}

#[test]
fn peak_ewma_does_not_feed_who_fails_fast() {
    for seed in SEEDS {
        let [peak, turns, least] =
            ["peak-ewma", "round-robin", "least-request"].map(|name| minute("fails fast", name, seed));
        let share = f64::from(peak.asked[3]) / peak.requests() as f64;
        assert!(share < 0.001, "{} of {} requests, seed {seed}", peak.asked[3], peak.requests());
        assert!(turns.failed > 50 * peak.failed.max(1), "{} failed against {}", peak.failed, turns.failed);
        assert!(least.failed >= turns.failed, "who is idle because he fails looks least busy: {}", least.failed);
    }
}

#[test]
fn of_a_silent_zone_peak_ewma_asks_only_when_it_draws_nobody_else() {
    for seed in SEEDS {
        let names = ["peak-ewma", "peak-ewma, choices 4", "round-robin"];
        let [two, four, turns] = names.map(|name| minute("zone lost", name, seed).failed);
        // Three of ten are silent: one pair in fifteen is of two silent ones.
        assert!(two * 4 < turns && four * 4 < two, "{two} and {four} failed against {turns}, seed {seed}");
    }
}

#[test]
fn a_slow_start_spares_the_cold() {
    for seed in SEEDS {
        let p99 = |name: &str| minute("cold", name, seed).percentile_ms(0.99);
        let (all_at_once, slowly) = (p99("round-robin"), p99("round-robin, slowStart 10s"));
        assert!(slowly < all_at_once, "{slowly} ms against {all_at_once} ms, seed {seed}");
    }
}

#[test]
fn the_same_seed_is_the_same_minute() {
    let [one, other] = [7, 7].map(|seed| minute("deploy", "peak-ewma", seed));
    assert_eq!((one.percentile_ms(0.999), one.asked), (other.percentile_ms(0.999), other.asked));
}
