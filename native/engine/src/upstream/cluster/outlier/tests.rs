//! Outlier detection between endings and comparisons, on a virtual clock; no socket.

use std::time::Duration;

use super::super::Heard;
use super::*;
use crate::snapshot::{ClusterBook, FailurePercentage, Place, SuccessRateOutlier, Wanted};

const POLICY: OutlierDetection = OutlierDetection {
    shadow: false,
    consecutive5xx: Some(5),
    consecutive_gateway_errors: None,
    consecutive_local_errors: None,
    interval_ms: 10_000,
    base_ejection_ms: 30_000,
    max_ejection_ms: 70_000,
    ejection_jitter_ms: 0,
    max_ejection_percent: 50,
    eject_last: false,
    return_on_health_check: true,
    success_rate: None,
    failure_percentage: None,
};

fn answer(status: u16) -> Heard {
    Heard::Answer { status, first_byte_us: 10, retry_after_s: None }
}

const RESET: Heard = Heard::Failure { kind: Kind::UpstreamReset, took_us: 10 };

struct Cluster {
    _book: ClusterBook,
    membership: Arc<Membership>,
    all: Vec<Arc<Endpoint>>,
    policy: OutlierDetection,
}

impl Cluster {
    fn new(count: u16, policy: OutlierDetection) -> Self {
        let mut book = ClusterBook::default();
        let membership = book.membership("app");
        let wanted = (0..count).map(|at| {
            let socket = std::net::SocketAddr::from(([127, 0, 0, 1], 9000 + at));
            Wanted { name: socket.to_string(), reach: socket.into(), weight: 1, place: Place::default() }
        });
        book.change("app", wanted.collect(), &[], true);
        membership.ejections().follow(Some(&Arc::new(policy)));
        let all = membership.set().members().map(|member| Arc::clone(&member.endpoint)).collect();
        Self { _book: book, membership, all, policy }
    }

    fn hear(&self, at: usize, endings: &[Heard]) {
        endings.iter().for_each(|ending| heard(&self.policy, &self.membership, &self.all[at], ending));
    }

    fn is_out(&self, at: usize) -> bool {
        self.all[at].condition() & bit::EJECTED != 0
    }

    fn out(&self) -> Vec<usize> {
        (0..self.all.len()).filter(|at| self.is_out(*at)).collect()
    }

    /// As the cold thread does it, for so long.
    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.membership.ejections().let_back_due();
        }
    }
}

fn on_a_virtual_clock(run: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(run);
}

#[test]
fn each_kind_of_failures_in_a_row_ejects_at_its_own_number() {
    let gateway = OutlierDetection { consecutive5xx: None, consecutive_gateway_errors: Some(3), ..POLICY };
    let local = OutlierDetection { consecutive_local_errors: Some(4), ..POLICY };
    let table: [(&str, OutlierDetection, &[Heard], bool); 11] = [
        ("four 5xx", POLICY, &[answer(500); 4], false),
        ("five 5xx", POLICY, &[answer(599); 5], true),
        ("4xx is no failure", POLICY, &[answer(429); 50], false),
        ("a success between them", POLICY, &[answer(500), answer(500), answer(200)].repeat(9), false),
        ("no answer counts as 5xx", POLICY, &[RESET; 5], true),
        ("a stale connection is nobody's failure", POLICY, &[Heard::Stale; 50], false),
        ("nor is a faster attempt beside it", POLICY, &[Heard::Overtaken { after_us: 1 }; 50], false),
        ("500 is no gateway error", gateway, &[answer(500); 50], false),
        ("502, 503 and no answer are", gateway, &[answer(502), answer(503), RESET], true),
        (
            "counted apart",
            local,
            &[RESET, RESET, RESET, answer(500), RESET, RESET, RESET, answer(500)].repeat(4),
            false,
        ),
        ("four without an answer", local, &[RESET; 4], true),
    ];
    for (name, policy, endings, out) in table {
        let cluster = Cluster::new(4, policy);
        cluster.hear(1, endings);
        assert_eq!(cluster.is_out(1), out, "{name}");
    }
}

#[test]
fn an_ejection_lasts_longer_each_time_in_a_row_up_to_the_most_and_shorter_after_good_intervals() {
    on_a_virtual_clock(async {
        let cluster = Cluster::new(4, POLICY);
        for seconds in [30, 60, 70, 70] {
            cluster.hear(2, &[answer(500); 5]);
            cluster.pass(seconds - 1).await;
            assert!(cluster.is_out(2), "{seconds} s are not over");
            cluster.pass(1).await;
            assert!(!cluster.is_out(2), "{seconds} s are over");
        }
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_secs(10)).await;
            cluster.membership.ejections().compare(&cluster.membership);
        }
        cluster.hear(2, &[answer(500); 5]);
        cluster.pass(30).await;
        assert!(!cluster.is_out(2), "four good intervals have made up for four ejections");
    });
}

#[test]
fn no_more_are_out_than_may_be_and_the_last_one_that_is_up_stays() {
    let cluster = Cluster::new(4, POLICY);
    (0..4).for_each(|at| cluster.hear(at, &[answer(500); 5]));
    assert_eq!((cluster.out(), cluster.membership.ejections().withheld()), (vec![0, 1], 2));
    // A share of a few that comes to less than one is one.
    let few = Cluster::new(3, OutlierDetection { max_ejection_percent: 10, ..POLICY });
    (0..3).for_each(|at| few.hear(at, &[answer(500); 5]));
    assert_eq!(few.out(), [0]);
    let none = Cluster::new(3, OutlierDetection { max_ejection_percent: 0, ..POLICY });
    none.hear(0, &[answer(500); 5]);
    assert!(none.out().is_empty());
    let most = OutlierDetection { max_ejection_percent: 100, ..POLICY };
    let last = Cluster::new(3, most);
    last.all[0].set_healthy(false);
    (1..3).for_each(|at| last.hear(at, &[answer(500); 5]));
    assert_eq!(last.out(), [1]);
    last.hear(0, &[answer(500); 5]);
    assert_eq!(last.out(), [0, 1], "one that is down already is not the last one that is up");
    let all = Cluster::new(3, OutlierDetection { eject_last: true, ..most });
    (0..3).for_each(|at| all.hear(at, &[answer(500); 5]));
    assert_eq!((all.out(), all.membership.tally().down()), (vec![0, 1, 2], 3));
}

#[test]
fn rates_are_compared_over_one_interval_at_a_time() {
    let rates = OutlierDetection {
        consecutive5xx: None,
        success_rate: Some(SuccessRateOutlier { stdev_factor: 1.9, min_hosts: 5, request_volume: 100 }),
        failure_percentage: Some(FailurePercentage { threshold: 85.0, min_hosts: 5, request_volume: 50 }),
        ..POLICY
    };
    let cluster = Cluster::new(6, rates);
    let asked = |failing: usize, failures: usize| {
        for at in 0..6 {
            let failed = if at == failing { failures } else { 0 };
            cluster.hear(at, &vec![answer(500); failed]);
            cluster.hear(at, &vec![answer(200); 100 - failed]);
        }
    };
    asked(3, 40);
    cluster.membership.ejections().compare(&cluster.membership);
    assert_eq!(cluster.out(), [3]);
    let spell = cluster.all[3].outlier().last().unwrap();
    assert!(spell.reason.starts_with("60.0% of 100 requests succeeded, below 65"), "{}", spell.reason);
    cluster.membership.ejections().compare(&cluster.membership);
    assert_eq!(cluster.out(), [3], "what was counted then does not count again");
    let counts: Vec<_> = cluster.membership.ejections().counts().collect();
    assert_eq!((counts[3], counts[4]), (("success-rate", 1), ("failure-percentage", 0)));
}

#[test]
fn a_health_check_that_succeeds_ends_an_ejection_if_it_may() {
    let cluster = Cluster::new(3, POLICY);
    cluster.hear(0, &[answer(500); 5]);
    cluster.membership.ejections().check_succeeded(&cluster.all[0]);
    assert!(cluster.out().is_empty());
    cluster.hear(0, &[answer(500); 4]);
    assert!(cluster.out().is_empty(), "what was counted before does not count");
    let lasting = Cluster::new(3, OutlierDetection { return_on_health_check: false, ..POLICY });
    lasting.hear(0, &[answer(500); 5]);
    lasting.membership.ejections().check_succeeded(&lasting.all[0]);
    assert_eq!(lasting.out(), [0]);
}

#[test]
fn in_shadow_mode_everything_is_told_and_nobody_is_out() {
    let cluster = Cluster::new(3, OutlierDetection { shadow: true, ..POLICY });
    cluster.hear(0, &[answer(500); 12]);
    assert!(cluster.out().is_empty());
    assert_eq!(cluster.membership.ejections().counts().next(), Some(("consecutive-5xx", 2)));
    let events = cluster._book.events().fetch().unwrap().events;
    let told: Vec<_> = events.iter().map(|event| (event.turn, event.reason.as_str())).collect();
    assert_eq!(told, [(crate::telemetry::events::Turn::WouldEject, "5 failures of 5xx in a row"); 2]);
}

#[test]
fn without_outlier_detection_everybody_returns_and_what_is_under_way_ejects_nobody() {
    let cluster = Cluster::new(3, POLICY);
    cluster.hear(0, &[answer(500); 5]);
    cluster.membership.ejections().follow(None);
    cluster.hear(1, &[answer(500); 50]);
    assert!(cluster.out().is_empty());
}

#[test]
fn failures_on_four_threads_at_once_eject_no_more_than_may_be() {
    for _ in 0..20 {
        let cluster = Cluster::new(20, OutlierDetection { max_ejection_percent: 25, ..POLICY });
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..20).for_each(|at| cluster.hear(at, &[answer(500); 10])));
            }
        });
        assert_eq!((cluster.out().len(), cluster.membership.tally().ejected()), (5, 5));
    }
}
