use super::*;
use crate::telemetry::flags::Flag;
use crate::telemetry::record::NONE;

/// A time at which no exchange of these tests rests.
const NOW: u64 = 0;

fn worker(budget: usize) -> Metrics {
    Metrics::new(Arc::new(SeriesBudget::new(budget)))
}

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
    let (mut first, mut second) = (worker(DEFAULT_SERIES), worker(DEFAULT_SERIES));
    first.observe(&exchange(7, 200, 400), &ids);
    first.observe(&exchange(7, 200, 700), &ids);
    second.observe(&exchange(7, 200, 700), &ids);
    second.observe(&Record { flag: Flag::NoHealthyUpstream, ..exchange(7, 503, 50) }, &ids);
    let totals = collect(&[first.shared(), second.shared()], NOW);
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
        let mut metrics = worker(DEFAULT_SERIES);
        metrics.observe(&exchange(0, 200, bound), &ids);
        metrics.observe(&exchange(0, 200, bound.saturating_add(1)), &ids);
        let buckets = collect(&[metrics.shared()], NOW).series[0].buckets;
        assert_eq!((buckets[place], buckets[place + 1]), (1, 1), "around {bound} µs");
    }
}

#[test]
fn beyond_the_budget_everything_goes_to_one_series_and_is_counted() {
    let ids = snapshot();
    let mut metrics = worker(2);
    for route in 0..5 {
        metrics.observe(&exchange(route, 200, 1), &ids);
    }
    metrics.observe(&exchange(0, 200, 1), &ids);
    let totals = collect(&[metrics.shared()], NOW);
    assert_eq!(totals.series.iter().map(|series| series.requests).collect::<Vec<_>>(), [2, 1, 3]);
    let other = &totals.series[2];
    assert_eq!((other.other, other.route, other.status, other.flag), (true, NONE, 0, Flag::None));
    assert_eq!(totals.counters.get(Counter::SeriesOverflows), 3);
}

#[test]
fn every_status_and_flag_has_a_series_of_its_own() {
    let ids = snapshot();
    let mut metrics = worker(100_000);
    for status in 0..600 {
        for flag in Flag::ALL {
            metrics.observe(&Record { flag: *flag, listener: NONE, status, ..exchange(NONE, status, 1) }, &ids);
        }
    }
    let totals = collect(&[metrics.shared()], NOW);
    assert_eq!(totals.series.len(), 600 * Flag::ALL.len());
    assert!(totals.series.iter().all(|series| series.requests == 1 && !series.other));
}

#[test]
fn a_worker_that_ended_leaves_its_counts_and_takes_its_gauges_along() {
    let ids = snapshot();
    let budget = Arc::new(SeriesBudget::new(10));
    let past = WorkerMetrics::default();
    for _ in 0..3 {
        let mut ended = Metrics::new(Arc::clone(&budget));
        ended.add(Counter::DownstreamConnections, 5);
        ended.add(Counter::DownstreamConnectionsActive, 3);
        ended.observe(&exchange(7, 200, 400), &ids);
        ended.count_cluster(3, &ids, ClusterCounter::Retries);
        past.absorb(&ended.shared(), &budget);
    }
    let totals = collect(&[Arc::new(past)], NOW);
    assert_eq!(totals.counters.get(Counter::DownstreamConnectionsActive), 0);
    assert_eq!(totals.counters.get(Counter::DownstreamConnections), 15);
    assert_eq!((totals.series.len(), totals.series[0].requests, totals.series[0].response_bytes), (1, 3, 300));
    assert_eq!(totals.latencies[&7].iter().map(|(_, count)| count).sum::<u64>(), 3);
    assert_eq!(totals.clusters[&3].get(ClusterCounter::Retries), 3);
}

#[test]
fn the_budget_is_the_proxys_and_not_each_workers() {
    let ids = snapshot();
    let budget = Arc::new(SeriesBudget::new(2));
    let mut workers = [Metrics::new(Arc::clone(&budget)), Metrics::new(budget)];
    for (worker, route) in [(0, 0), (1, 0), (1, 1), (0, 1), (0, 2), (1, 3)] {
        workers[worker].observe(&exchange(route, 200, 1), &ids);
    }
    let totals = collect(&workers.map(|worker| worker.shared()), NOW);
    let counts: Vec<_> = totals.series.iter().map(|series| (series.other, series.requests)).collect();
    assert_eq!(counts, [(false, 2), (false, 2), (true, 2)]);
}

#[test]
fn a_series_that_rests_is_hidden_goes_on_where_it_was_and_gives_way_when_there_is_no_room() {
    let ids = snapshot();
    let mut metrics = worker(1);
    let begin = 1_000_000_000;
    let at = |route, start_unix_us| Record { start_unix_us, ..exchange(route, 200, 1) };
    let shown = |metrics: &Metrics, now| {
        let totals = collect(&[metrics.shared()], now);
        totals.series.iter().map(|series| (series.other, series.route, series.requests)).collect::<Vec<_>>()
    };
    let idle = IDLE.as_micros() as u64;
    metrics.observe(&at(0, begin), &ids);
    assert_eq!(shown(&metrics, begin + idle), [(false, 0, 1)]);
    assert_eq!(shown(&metrics, begin + idle + 2), []);
    metrics.observe(&at(0, begin + idle + 2), &ids);
    assert_eq!(shown(&metrics, begin + idle + 2), [(false, 0, 2)]);
    // No room: route 1 is folded into the others until route 0 has rested.
    metrics.observe(&at(1, begin + idle + 3), &ids);
    let later = begin + 3 * idle;
    metrics.observe(&at(1, later), &ids);
    assert_eq!(shown(&metrics, later), [(false, 1, 1)]);
    assert_eq!(collect(&[metrics.shared()], later).latencies.len(), 2, "those of route 1 and of the others");
}

#[test]
fn a_scrape_while_a_worker_counts_sees_numbers_that_only_grow() {
    let ids = snapshot();
    let mut metrics = worker(64);
    let shared = metrics.shared();
    let worker = std::thread::spawn(move || {
        for turn in 0..200_000_u32 {
            metrics.observe(&exchange((turn % 100) as u16, 200, turn), &ids);
        }
    });
    let mut before = 0;
    while !worker.is_finished() {
        let now = collect(&[Arc::clone(&shared)], NOW).series.iter().map(|series| series.requests).sum();
        assert!(now >= before);
        before = now;
    }
    worker.join().unwrap();
    let totals = collect(&[shared], NOW);
    assert_eq!(totals.series.iter().map(|series| series.requests).sum::<u64>(), 200_000);
    assert_eq!(totals.counters.get(Counter::SeriesOverflows), 200_000 / 100 * 36);
}

#[test]
fn names_follow_the_scheme_and_say_whether_they_only_grow() {
    let all = || COUNTERS.iter().chain(&CLUSTER_COUNTERS);
    let mut names: Vec<_> = all().map(|description| description.name).collect();
    for description in all() {
        assert!(description.name.starts_with("weft_"), "{}", description.name);
        assert_eq!(description.name.ends_with("_total"), description.kind == Kind::Counter, "{}", description.name);
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), COUNTERS.len() + CLUSTER_COUNTERS.len());
}

#[test]
fn an_exchange_counts_under_the_names_of_the_snapshot_it_held() {
    let names = Names::default();
    let mut metrics = worker(DEFAULT_SERIES);
    let before = names.ids(["edge"], ["old", "kept"], ["app"]);
    let after = names.ids(["edge"], ["kept", "new"], ["app"]);
    let exchange = |route| Record { listener: 0, cluster: 0, ..exchange(route, 200, 1) };
    for (route, ids) in [(1, &before), (0, &after), (0, &before), (1, &after)] {
        metrics.observe(&exchange(route), ids);
    }
    let report = collect(&[metrics.shared()], NOW).report(&names);
    let counted: Vec<_> = report.series.iter().map(|series| (series.route.as_str(), series.requests)).collect();
    assert_eq!(counted, [("old", 1), ("kept", 2), ("new", 1)]);
}

/// The file is what TypeScript's exposition is tested with, so both sides hold to one shape.
#[test]
fn a_report_is_written_as_typescript_reads_it() {
    let names = Names::default();
    let mut metrics = worker(3);
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
    let report = serde_json::to_value(collect(&[metrics.shared()], NOW).report(&names)).unwrap();
    let file = include_str!("../../../../../test/unit/telemetry/exposition/report.json");
    let read: serde_json::Value = serde_json::from_str(file).unwrap();
    assert!(report == read, "the report is now\n{}", serde_json::to_string_pretty(&report).unwrap());
}
