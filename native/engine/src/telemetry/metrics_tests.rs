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

/// A snapshot with the names l0, l1 …, r0, r1 … and c0, c1 ….
fn snapshot() -> Ids {
    let list = |letter: char, count: u16| (0..count).map(|place| format!("{letter}{place}")).collect::<Vec<_>>();
    let (listeners, routes, clusters) = (list('l', 4), list('r', 200), list('c', 4));
    Names::default().ids(
        listeners.iter().map(String::as_str),
        routes.iter().map(String::as_str),
        clusters.iter().map(String::as_str),
    )
}

#[test]
fn exchanges_of_all_workers_are_summed_by_their_key() {
    let ids = snapshot();
    let (mut first, mut second) = (Metrics::new(DEFAULT_SERIES), Metrics::new(DEFAULT_SERIES));
    first.observe(&exchange(7, 200, 400), &ids);
    first.observe(&exchange(7, 200, 700), &ids);
    second.observe(&exchange(7, 200, 700), &ids);
    second.observe(&Record { flag: Flag::NoHealthyUpstream, ..exchange(7, 503, 50) }, &ids);
    let totals = collect(&[first.shared(), second.shared()]);
    assert_eq!(totals.series.len(), 2);
    let (fine, failed) = (&totals.series[0], &totals.series[1]);
    assert_eq!((fine.listener, fine.route, fine.cluster, fine.status, fine.flag), (1, 7, 3, 200, Flag::None));
    assert_eq!((fine.requests, fine.request_bytes, fine.response_bytes, fine.duration_sum_us), (3, 30, 300, 1800));
    assert_eq!((fine.buckets[0], fine.buckets[1]), (1, 2));
    assert_eq!((failed.status, failed.flag, failed.requests), (503, Flag::NoHealthyUpstream, 1));
}

#[test]
fn a_duration_on_a_bound_belongs_below_it() {
    let ids = snapshot();
    for (place, bound) in DURATION_BOUNDS_US.into_iter().enumerate() {
        let mut metrics = Metrics::new(DEFAULT_SERIES);
        metrics.observe(&exchange(0, 200, bound), &ids);
        metrics.observe(&exchange(0, 200, bound.saturating_add(1)), &ids);
        let buckets = collect(&[metrics.shared()]).series[0].buckets;
        assert_eq!((buckets[place], buckets[place + 1]), (1, 1), "around {bound} µs");
    }
}

#[test]
fn beyond_the_budget_everything_goes_to_one_series_and_is_counted() {
    let ids = snapshot();
    let mut metrics = Metrics::new(2);
    for route in 0..5 {
        metrics.observe(&exchange(route, 200, 1), &ids);
    }
    metrics.observe(&exchange(0, 200, 1), &ids);
    let totals = collect(&[metrics.shared()]);
    assert_eq!(totals.series.iter().map(|series| series.requests).collect::<Vec<_>>(), [2, 1, 3]);
    let other = &totals.series[2];
    assert_eq!((other.other, other.route, other.status, other.flag), (true, NONE, 0, Flag::None));
    assert_eq!(totals.counters.get(Counter::SeriesOverflows), 3);
}

#[test]
fn every_status_and_flag_has_a_series_of_its_own() {
    let ids = snapshot();
    let mut metrics = Metrics::new(100_000);
    for status in 0..600 {
        for flag in Flag::ALL {
            metrics.observe(&Record { flag: *flag, listener: NONE, status, ..exchange(NONE, status, 1) }, &ids);
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
    assert_eq!(collect(&workers).counters.get(Counter::DownstreamConnectionsActive), 6);
    drop(ended);
    workers[0].retire();
    let totals = collect(&workers);
    assert_eq!(totals.counters.get(Counter::DownstreamConnectionsActive), 3);
    assert_eq!(totals.counters.get(Counter::DownstreamConnections), 10);
}

#[test]
fn a_scrape_while_a_worker_counts_sees_numbers_that_only_grow() {
    let ids = snapshot();
    let mut metrics = Metrics::new(64);
    let shared = metrics.shared();
    let worker = std::thread::spawn(move || {
        for turn in 0..200_000_u32 {
            metrics.observe(&exchange((turn % 100) as u16, 200, turn), &ids);
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
    assert_eq!(totals.counters.get(Counter::SeriesOverflows), 200_000 / 100 * 36);
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
fn an_exchange_counts_under_the_names_of_the_snapshot_it_held() {
    let names = Names::default();
    let mut metrics = Metrics::new(DEFAULT_SERIES);
    let before = names.ids(["edge"], ["old", "kept"], ["app"]);
    let after = names.ids(["edge"], ["kept", "new"], ["app"]);
    let exchange = |route| Record { listener: 0, cluster: 0, ..exchange(route, 200, 1) };
    for (route, ids) in [(1, &before), (0, &after), (0, &before), (1, &after)] {
        metrics.observe(&exchange(route), ids);
    }
    let report = collect(&[metrics.shared()]).report(&names);
    let counted: Vec<_> = report.series.iter().map(|series| (series.route.as_str(), series.requests)).collect();
    assert_eq!(counted, [("old", 1), ("kept", 2), ("new", 1)]);
}

/// The file is what TypeScript's exposition is tested with, so both sides hold to one shape.
#[test]
fn a_report_is_written_as_typescript_reads_it() {
    let names = Names::default();
    let mut metrics = Metrics::new(3);
    let ids = names.ids(["edge", "in\"ner"], ["all"], ["app"]);
    let record = Record { listener: 0, route: 0, cluster: 0, status: 200, ..Record::default() };
    for total_us in [400, 700, 700, 30_000, u32::MAX] {
        metrics.observe(&Record { total_us, request_bytes: 10, response_bytes: 1024, ..record }, &ids);
    }
    metrics.observe(
        &Record { status: 503, flag: Flag::UpstreamConnectionFailure, total_us: 900, response_bytes: 91, ..record },
        &ids,
    );
    let not_found = Record {
        status: 404,
        flag: Flag::NoRouteFound,
        total_us: 80,
        listener: 1,
        route: NONE,
        cluster: NONE,
        ..record
    };
    metrics.observe(&not_found, &ids);
    metrics.observe(&Record { status: 400, flag: Flag::DownstreamProtocolError, ..not_found }, &ids);
    metrics.add(Counter::DownstreamConnections, 3);
    metrics.add(Counter::DownstreamConnectionsActive, 2);
    let report = serde_json::to_value(collect(&[metrics.shared()]).report(&names)).unwrap();
    let file = include_str!("../../../../test/unit/telemetry/exposition/report.json");
    let read: serde_json::Value = serde_json::from_str(file).unwrap();
    assert!(report == read, "the report is now\n{}", serde_json::to_string_pretty(&report).unwrap());
}
