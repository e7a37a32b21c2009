use super::*;
use crate::http::parse::{HeadLimits, parse_request};
use proptest::prelude::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";
const ALL: Option<Tracing> = Some(Tracing { sampling_ppm: 1_000_000 });
const NONE: Option<Tracing> = Some(Tracing { sampling_ppm: 0 });

fn head(lines: &[(&str, &str)]) -> RequestHead {
    let lines: String = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut head = RequestHead::new();
    let limits = HeadLimits { max_bytes: 8192, max_fields: 100 };
    parse_request(format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").as_bytes(), limits, &mut head).unwrap();
    head
}

/// The trace's id as text, and the lines behind Host.
fn carried(lines: &[(&str, &str)], tracing: Option<Tracing>) -> (String, Vec<(String, String)>) {
    let mut head = head(lines);
    let carried = carry(&mut head, tracing, Some("5f3c1f0e-8f0a-4d0c-9a52-6d1d2f6c7a11"));
    let id = carried.trace;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let lines: Vec<_> = head.section().iter().skip(1).map(|(name, value)| (text(name), text(value))).collect();
    if tracing.is_some() {
        let line = lines.iter().find(|(name, _)| name == "traceparent").unwrap();
        assert_eq!(carried.sampled, line.1.ends_with(['1', '3']), "{line:?}");
    }
    (format!("{:032x}", u128::from_be_bytes(id)), lines)
}

fn value<'a>(lines: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = lines.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let first = found.next();
    assert_eq!(found.next(), None, "{name} stands twice");
    first
}

#[test]
fn without_tracing_lines_pass_untouched_and_the_id_is_read() {
    let traceparent = format!("00-{TRACE}-{SPAN}-01");
    let multi = [("X-B3-TraceId", TRACE), ("X-B3-SpanId", SPAN)];
    for lines in [&[("Traceparent", traceparent.as_str()), ("Tracestate", "a=b")][..], &multi] {
        let (id, after) = carried(lines, None);
        assert_eq!(id, TRACE);
        let before: Vec<_> = lines.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(after, before);
    }
    assert_eq!(carried(&[("x", "y")], None).0, "0".repeat(32));
    assert_eq!(
        carried(&[("traceparent", "rubbish")], None),
        ("0".repeat(32), vec![("traceparent".into(), "rubbish".into())])
    );
}

#[test]
fn a_trace_is_continued_with_a_span_of_ours_as_the_parent() {
    let (id, lines) = carried(&[("traceparent", &format!("00-{TRACE}-{SPAN}-01")), ("tracestate", "a=b")], NONE);
    assert_eq!(id, TRACE);
    let line = value(&lines, "traceparent").unwrap();
    assert!(line.starts_with(&format!("00-{TRACE}-")) && line.ends_with("-01") && line.len() == 55, "{line}");
    assert!(!line.contains(SPAN), "{line}");
    assert_eq!(value(&lines, "tracestate"), Some("a=b"));
    assert_eq!(lines.len(), 2);
}

#[test]
fn the_callers_decision_stands() {
    for (flags, after, tracing) in [("00", "00", ALL), ("01", "01", NONE), ("03", "03", NONE), ("fe", "02", ALL)] {
        let (_, lines) = carried(&[("traceparent", &format!("00-{TRACE}-{SPAN}-{flags}"))], tracing);
        assert!(value(&lines, "traceparent").unwrap().ends_with(after), "{flags}");
    }
}

#[test]
fn a_later_version_is_read_as_far_as_it_is_known() {
    let (id, lines) = carried(&[("traceparent", &format!("cc-{TRACE}-{SPAN}-01-what-comes-then"))], NONE);
    assert_eq!(id, TRACE);
    assert!(value(&lines, "traceparent").unwrap().starts_with("00-"));
}

#[test]
fn what_is_malformed_is_replaced_by_a_new_trace() {
    let upper = TRACE.to_uppercase();
    for line in [
        String::new(),
        "00".into(),
        format!("00-{TRACE}-{SPAN}"),
        format!("00-{TRACE}-{SPAN}-1"),
        format!("00-{TRACE}-{SPAN}-01-more"),
        format!("01-{TRACE}-{SPAN}-01.more"),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("00-{upper}-{SPAN}-01"),
        format!("00-{}-{SPAN}-01", "0".repeat(32)),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00_{TRACE}_{SPAN}_01"),
        format!("00-{}-{SPAN}-01", "g".repeat(32)),
    ] {
        let (id, lines) = carried(&[("traceparent", &line), ("tracestate", "a=b")], ALL);
        assert!(id != TRACE && id != "0".repeat(32), "{line}");
        assert_eq!(value(&lines, "tracestate"), None, "{line}");
        assert!(value(&lines, "traceparent").unwrap().starts_with(&format!("00-{id}-")), "{line}");
    }
    let twice = format!("00-{TRACE}-{SPAN}-01");
    let (id, lines) = carried(&[("traceparent", &twice), ("traceparent", &twice)], ALL);
    assert!(id != TRACE && value(&lines, "traceparent").is_some());
}

#[test]
fn b3_goes_on_in_the_form_in_which_it_came_beside_w3c() {
    let (id, lines) = carried(&[("b3", &format!("{TRACE}-{SPAN}-1-05e3ac9a4f6e3b90"))], NONE);
    assert_eq!(id, TRACE);
    let line = value(&lines, "b3").unwrap();
    assert!(line.starts_with(&format!("{TRACE}-")) && line.ends_with(&format!("-1-{SPAN}")), "{line}");
    assert!(value(&lines, "traceparent").unwrap().ends_with("-01"));

    let sent = [
        ("X-B3-TraceId", TRACE),
        ("X-B3-SpanId", SPAN),
        ("X-B3-ParentSpanId", "05e3ac9a4f6e3b90"),
        ("X-B3-Sampled", "0"),
    ];
    let (id, lines) = carried(&sent, ALL);
    assert_eq!(id, TRACE);
    assert_eq!(value(&lines, "x-b3-traceid"), Some(TRACE));
    assert_eq!(value(&lines, "x-b3-parentspanid"), Some(SPAN));
    assert_eq!(value(&lines, "x-b3-sampled"), Some("0"));
    let span = value(&lines, "x-b3-spanid").unwrap();
    assert_eq!(value(&lines, "traceparent"), Some(format!("00-{TRACE}-{span}-00").as_str()));
    assert_eq!(lines.len(), 5);
}

#[test]
fn a_short_b3_trace_id_keeps_its_width() {
    let short = &TRACE[16..];
    let (id, lines) = carried(&[("b3", &format!("{short}-{SPAN}-d"))], NONE);
    assert_eq!(id, format!("{}{short}", "0".repeat(16)));
    assert!(value(&lines, "b3").unwrap().starts_with(&format!("{short}-")));
    assert!(value(&lines, "b3").unwrap().contains("-d-"));
    assert!(value(&lines, "traceparent").unwrap().ends_with("-01"));
}

#[test]
fn a_decision_without_a_trace_begins_one_that_follows_it() {
    for (lines, flags) in [(&[("b3", "0")][..], "00"), (&[("x-b3-sampled", "1")], "01"), (&[("X-B3-Flags", "1")], "01")]
    {
        let (_, after) = carried(lines, if flags == "00" { ALL } else { NONE });
        assert!(value(&after, "traceparent").unwrap().ends_with(flags), "{lines:?}");
    }
}

#[test]
fn w3c_is_believed_before_b3() {
    let (id, lines) =
        carried(&[("b3", &format!("{SPAN}{SPAN}-{SPAN}-1")), ("traceparent", &format!("00-{TRACE}-{SPAN}-00"))], ALL);
    assert_eq!(id, TRACE);
    assert!(value(&lines, "b3").unwrap().starts_with(TRACE));
    assert!(value(&lines, "traceparent").unwrap().ends_with("-00"));
}

#[test]
fn a_request_id_is_sampled_alike_by_everybody_and_as_often_as_configured() {
    assert!(is_sampled(b"a", 1_000_000) && !is_sampled(b"a", 0));
    let ids: Vec<String> =
        (0..100_000).map(|number: u32| format!("{number:08x}-0000-4000-8000-000000000000")).collect();
    let sampled = ids.iter().filter(|id| is_sampled(id.as_bytes(), 10_000)).count();
    assert!((900..1_100).contains(&sampled), "{sampled} of 100,000 at 1 %");
    // Others decide by the same hash: these must not change.
    let known: Vec<bool> =
        ["5f3c1f0e-8f0a-4d0c-9a52-6d1d2f6c7a11", "a", ""].map(|id| is_sampled(id.as_bytes(), 500_000)).into();
    assert_eq!(known, KNOWN_AT_HALF);
    // Who is sampled at 1 % is sampled at 10 %.
    assert!(ids.iter().all(|id| !is_sampled(id.as_bytes(), 10_000) || is_sampled(id.as_bytes(), 100_000)));
}

const KNOWN_AT_HALF: [bool; 3] = [true, false, false];

proptest! {
    #[test]
    fn any_text_leaves_one_valid_traceparent(traceparent in "[ -~]{0,80}", b3 in "[ -~]{0,80}", multi in "[ -~]{0,40}") {
        let (id, lines) = carried(&[("traceparent", &traceparent), ("b3", &b3), ("x-b3-traceid", &multi)], ALL);
        let line = value(&lines, "traceparent").unwrap();
        let expected = format!("00-{id}-");
        prop_assert!(line.starts_with(&expected) && line.len() == 55, "{}", line);
        prop_assert!(id != "0".repeat(32));
    }
}
