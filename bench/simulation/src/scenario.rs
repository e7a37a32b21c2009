//! What becomes of ten endpoints while a minute of requests comes.

use crate::service::Manner;

/// Endpoints at the beginning.
pub const ENDPOINTS: usize = 10;
/// Requests a second; each endpoint's share of them is 200.
pub const RATE: f64 = 2_000.0;
/// Seconds of requests.
pub const SECONDS: u64 = 60;
/// Who has no answer by then gets none, s.
pub const TIMEOUT_S: u64 = 2;

/// What happens at a second.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// An endpoint answers differently.
    Manner(usize, Manner),
    /// An endpoint comes.
    Comes(usize, Manner),
    /// An endpoint goes, with what is under way there finished.
    Goes(usize),
}

/// What becomes of the endpoints.
pub struct Scenario {
    /// As in the table.
    pub name: &'static str,
    /// What it is, in words.
    pub words: &'static str,
    /// When what happens, in order, by second.
    pub changes: Vec<(u64, Change)>,
}

/// A service that has just begun: eight times as slow, and as quick as any after ten seconds.
const COLD: Manner = Manner::Cold(8.0, 10);

/// All of them.
pub fn scenarios() -> Vec<Scenario> {
    let deploy = (0..ENDPOINTS).flat_map(|at| {
        let second = 5 + 4 * at as u64;
        [(second, Change::Comes(ENDPOINTS + at, COLD)), (second, Change::Goes(at))]
    });
    let lost = (0..3).flat_map(|at| [(20, Change::Manner(at, Manner::Silent))]);
    let back = (0..3).flat_map(|at| [(40, Change::Manner(at, Manner::Well))]);
    vec![
        Scenario { name: "calm", words: "all answer alike, in 10 ms", changes: Vec::new() },
        Scenario {
            name: "slow",
            words: "one answers a hundred times as slowly",
            changes: vec![(0, Change::Manner(3, Manner::Slowly(100.0)))],
        },
        Scenario {
            name: "fails fast",
            words: "one answers 503 in half a millisecond",
            changes: vec![(0, Change::Manner(3, Manner::FailsFast))],
        },
        Scenario {
            name: "cold",
            words: "an eleventh comes, eight times as slow at first, warm after ten seconds",
            changes: vec![(20, Change::Comes(ENDPOINTS, COLD))],
        },
        Scenario { name: "deploy", words: "each is replaced by a cold one in its turn", changes: deploy.collect() },
        Scenario {
            name: "zone lost",
            words: "three fall silent for twenty seconds, without health checks, outlier detection or retries",
            changes: lost.chain(back).collect(),
        },
    ]
}

/// One of them by its name.
pub fn scenario(name: &str) -> Option<Scenario> {
    scenarios().into_iter().find(|scenario| scenario.name == name)
}
