//! The result as a picture: for each scenario the 99th percentile of each balancer, on a logarithmic scale.

use std::error::Error;

use plotters::prelude::*;

use crate::policies::POLICIES;
use crate::scenario::Scenario;
use crate::summary::Summary;

const WIDTH: u32 = 1100;
/// Of the names beside the picture.
const NAMES: u32 = 220;
const HEIGHT: u32 = 420;
/// The ends of the scale.
const LEAST_MS: f64 = 10.0;
const MOST_MS: f64 = 4_000.0;

/// The picture as SVG. `results` are by scenario, then by balancer.
pub fn svg(scenarios: &[Scenario], results: &[Vec<Summary>]) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (WIDTH, HEIGHT)).into_drawing_area();
        root.fill(&WHITE)?;
        let (root, names) = root.split_horizontally(WIDTH - NAMES);
        let groups = scenarios.len() as f64;
        let mut chart = ChartBuilder::on(&root)
            .caption("p99 of answers by balancer, ms (logarithmic)", ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(32)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..groups, (LEAST_MS..MOST_MS).log_scale())?;
        let label = |at: &f64| scenarios.get(*at as usize).map_or(String::new(), |scenario| scenario.name.to_owned());
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .x_labels(0)
            .x_label_formatter(&label)
            .y_desc("ms")
            .draw()?;
        for (at, scenario) in scenarios.iter().enumerate() {
            let place = (at as f64 + 0.1, LEAST_MS * 0.82);
            chart.plotting_area().draw(&Text::new(scenario.name, place, ("sans-serif", 14)))?;
        }
        let width = 0.86 / POLICIES.len() as f64;
        for (place, policy) in POLICIES.iter().enumerate() {
            let colour = Palette99::pick(place).filled();
            let bars = results.iter().enumerate().filter_map(|(at, of)| {
                let left = at as f64 + 0.07 + width * place as f64;
                let top = of.get(place)?.percentile_ms(0.99).clamp(LEAST_MS, MOST_MS);
                Some(Rectangle::new([(left, LEAST_MS), (left + width * 0.9, top)], colour))
            });
            chart.draw_series(bars)?;
            let y = 60 + 26 * place as i32;
            names.draw(&Rectangle::new([(4, y), (16, y + 12)], colour))?;
            names.draw(&Text::new(policy.name, (24, y), ("sans-serif", 14)))?;
        }
        root.present()?;
    }
    Ok(text)
}
