use super::*;
use crate::record::NONE;
use crate::telemetry::flags::Flag;

fn exchange(route: u16, status: u16, total_us: u32) -> Record {
    Record {
        listener: 1,
        route,
        cluster: 3,
        status,
        total_us,
        request_bytes: 10,
        response_bytes: 100,
        ..Record::default()
    }
}

fn counter(totals: &Totals, counter: Counter) -> u64 {
    totals.counters[counter as usize].value
}

#[test]
fn exchanges_of_all_workers_are_summed_by_their_key() {
    let (mut first, mut second) = (Metrics::new(DEFAULT_SERIES), Metrics::new(DEFAULT_SERIES));
    first.observe(&exchange(7, 200, 400));
    first.observe(&exchange(7, 200, 700));
    second.observe(&exchange(7, 200, 700));
    second.observe(&Record { flag: Flag::NoHealthyUpstream, ..exchange(7, 503, 50) });
    let totals = collect(&[first.shared(), second.shared()]);
    assert_eq!(totals.series.len(), 2);
    let (fine, failed) = (&totals.series[0], &totals.series[1]);
    assert_eq!((fine.listener, fine.route, fine.cluster, fine.status, fine.flag), (1, 7, 3, 200, Flag::None));
    assert_eq!((fine.requests, fine.request_bytes, fine.response_bytes, fine.duration_us), (3, 30, 300, 1800));
    assert_eq!((fine.duration_buckets[0], fine.duration_buckets[1]), (1, 2));
    assert_eq!((failed.status, failed.flag, failed.requests), (503, Flag::NoHealthyUpstream, 1));
}

#[test]
fn a_duration_on_a_bound_belongs_below_it() {
    for (place, bound) in DURATION_BOUNDS_US.into_iter().enumerate() {
        let mut metrics = Metrics::new(DEFAULT_SERIES);
        metrics.observe(&exchange(0, 200, bound));
        metrics.observe(&exchange(0, 200, bound.saturating_add(1)));
        let buckets = collect(&[metrics.shared()]).series[0].duration_buckets;
        assert_eq!((buckets[place], buckets[place + 1]), (1, 1), "around {bound} µs");
    }
}

#[test]
fn beyond_the_budget_everything_goes_to_one_series_and_is_counted() {
    let mut metrics = Metrics::new(2);
    for route in 0..5 {
        metrics.observe(&exchange(route, 200, 1));
    }
    metrics.observe(&exchange(0, 200, 1));
    let totals = collect(&[metrics.shared()]);
    assert_eq!(totals.series.iter().map(|series| series.requests).collect::<Vec<_>>(), [2, 1, 3]);
    let other = &totals.series[2];
    assert_eq!((other.other, other.route, other.status, other.flag), (true, NONE, 0, Flag::None));
    assert_eq!(counter(&totals, Counter::SeriesOverflows), 3);
}

#[test]
fn every_status_and_flag_has_a_series_of_its_own() {
    let mut metrics = Metrics::new(100_000);
    for status in 0..600 {
        for flag in Flag::ALL {
            metrics.observe(&Record { flag: *flag, listener: NONE, status, ..exchange(NONE, status, 1) });
        }
    }
    let totals = collect(&[metrics.shared()]);
    assert_eq!(totals.series.len(), 600 * Flag::ALL.len());
    assert!(totals.series.iter().all(|series| series.requests == 1 && !series.other));
}

#[test]
fn gauges_fall_with_a_worker_that_ended_and_counters_stay() {
    let (ended, lives) = (Metrics::new(1), Metrics::new(1));
    for metrics in [&ended, &lives] {
        metrics.add(Counter::DownstreamConnections, 5);
        metrics.add(Counter::DownstreamConnectionsActive, 5);
        metrics.subtract(Counter::DownstreamConnectionsActive, 2);
    }
    let workers = [ended.shared(), lives.shared()];
    assert_eq!(counter(&collect(&workers), Counter::DownstreamConnectionsActive), 6);
    drop(ended);
    workers[0].retire();
    let totals = collect(&workers);
    assert_eq!(counter(&totals, Counter::DownstreamConnectionsActive), 3);
    assert_eq!(counter(&totals, Counter::DownstreamConnections), 10);
}

#[test]
fn a_scrape_while_a_worker_counts_sees_numbers_that_only_grow() {
    let mut metrics = Metrics::new(64);
    let shared = metrics.shared();
    let worker = std::thread::spawn(move || {
        for turn in 0..200_000_u32 {
            metrics.observe(&exchange((turn % 100) as u16, 200, turn));
        }
    });
    let mut before = 0;
    while !worker.is_finished() {
        let now = collect(&[Arc::clone(&shared)]).series.iter().map(|series| series.requests).sum();
        assert!(now >= before);
        before = now;
    }
    worker.join().unwrap();
    let totals = collect(&[shared]);
    assert_eq!(totals.series.iter().map(|series| series.requests).sum::<u64>(), 200_000);
    assert_eq!(counter(&totals, Counter::SeriesOverflows), 200_000 / 100 * 36);
}

#[test]
fn names_follow_the_scheme_and_say_whether_they_only_grow() {
    let mut names: Vec<_> = COUNTERS.iter().map(|description| description.name).collect();
    for description in COUNTERS {
        assert!(description.name.starts_with("weft_"), "{}", description.name);
        assert_eq!(description.name.ends_with("_total"), description.kind == Kind::Counter, "{}", description.name);
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), COUNTERS.len());
}

#[test]
fn totals_are_written_with_names_that_typescript_uses() {
    let mut metrics = Metrics::new(1);
    metrics.observe(&exchange(7, 200, 400));
    let json = serde_json::to_value(collect(&[metrics.shared()])).unwrap();
    assert_eq!(json["durationBoundsMs"][0], 0.5);
    assert_eq!(json["series"][0]["responseBytes"], 100);
    assert_eq!(json["series"][0]["flag"], "-");
    assert_eq!(json["series"][0]["durationBuckets"].as_array().unwrap().len(), BUCKETS);
    assert_eq!(json["counters"][0]["name"], "weft_downstream_connections_active");
    assert_eq!(json["counters"][0]["kind"], "gauge");
}
