//! `weft-simulation [PICTURE]`: plays every scenario for every balancer, prints a table, and writes a picture of it.

use std::error::Error;
use std::fs;

use weft_simulation::picture;
use weft_simulation::policies::POLICIES;
use weft_simulation::scenario::{RATE, SECONDS, scenarios};
use weft_simulation::summary::Summary;
use weft_simulation::world::play;

/// Of everything that chance decides.
const SEED: u64 = 20_261_121;

fn main() -> Result<(), Box<dyn Error>> {
    let scenarios = scenarios();
    let results: Vec<Vec<Summary>> = scenarios
        .iter()
        .map(|scenario| POLICIES.iter().map(|policy| play(scenario, policy.load_balancer, SEED)).collect())
        .collect();
    println!("Seed {SEED}, {RATE} requests/s for {SECONDS} s.");
    for (scenario, of) in scenarios.iter().zip(&results) {
        println!("\n**{}**: {}\n", scenario.name, scenario.words);
        println!("| balancer | p50 ms | p99 ms | p99.9 ms | failed | failed % |");
        println!("|---|---:|---:|---:|---:|---:|");
        for (policy, summary) in POLICIES.iter().zip(of) {
            let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|part| summary.percentile_ms(part));
            let percent = f64::from(summary.failed) * 100.0 / summary.requests() as f64;
            println!("| {} | {p50:.1} | {p99:.1} | {p999:.1} | {} | {percent:.2} |", policy.name, summary.failed);
        }
    }
    if let Some(path) = std::env::args().nth(1) {
        fs::write(&path, picture::svg(&scenarios, &results)?)?;
    }
    Ok(())
}
