use super::*;
use crate::telemetry::flags::Flag;
use crate::telemetry::record::Protocol;
use proptest::prelude::*;
use std::net::SocketAddr;

const TEXTS: Texts<'static> = Texts {
    request_id: b"cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2",
    method: b"POST",
    authority: b"locations",
    path: b"/api/v1/locations?page=2",
    headers: &[],
    trail: &[],
};

fn address(text: &str) -> Address {
    text.parse::<SocketAddr>().unwrap().into()
}

fn answered() -> Record {
    Record {
        start_unix_us: 1_460_751_420_310_000,
        status: 204,
        upstream_status: 204,
        request_bytes: 154,
        head_us: 100,
        first_byte_us: 100_999,
        total_us: 226_000,
        attempts: 1,
        upstream: address("10.0.2.1:80"),
        downstream: address("10.0.35.28:51000"),
        protocol: Protocol::Http2,
        trace_id: [0x1b; 16],
        ..Record::default()
    }
}

fn entry<'a>(record: &'a Record, request_headers: &'a [Option<&'a [u8]>]) -> Entry<'a> {
    Entry {
        record,
        texts: &TEXTS,
        request_headers,
        response_headers: &[],
        listener: "edge",
        route: "all",
        cluster: "app",
        downstream_local: address("[::1]:8080"),
        detail: "",
    }
}

fn line(source: &str, entry: &Entry<'_>) -> String {
    let mut out = Vec::new();
    Format::compile(source, &[]).unwrap().format(entry, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn text_is_the_default_format_of_envoy() {
    let record = answered();
    let headers: [Option<&[u8]>; 2] = [Some(b"10.0.35.28"), Some(b"nsq2http")];
    assert_eq!(Format::compile("text", &[]).unwrap().request_headers(), ["x-forwarded-for", "user-agent"]);
    assert_eq!(
        line("text", &entry(&record, &headers)),
        "[2016-04-15T20:17:00.310Z] \"POST /api/v1/locations?page=2 HTTP/2\" 204 - 154 0 226 100 \"10.0.35.28\" \
         \"nsq2http\" \"cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2\" \"locations\" \"10.0.2.1:80\"\n"
    );
}

#[test]
fn json_is_one_flat_object_with_numbers_and_null_for_what_is_missing() {
    let record = answered();
    let json: serde_json::Value = serde_json::from_str(&line("json", &entry(&record, &[None, Some(b"a\"b")]))).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "start_time": "2016-04-15T20:17:00.310Z", "method": "POST", "path": "/api/v1/locations?page=2",
            "protocol": "HTTP/2", "response_code": 204, "response_code_details": "via_upstream",
            "response_flags": "-", "bytes_received": 154, "bytes_sent": 0, "duration": 226,
            "upstream_service_time": 100, "x_forwarded_for": null, "user_agent": "a\"b",
            "request_id": "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2", "authority": "locations",
            "upstream_host": "10.0.2.1:80", "upstream_cluster": "app", "upstream_request_attempt_count": 1,
            "route_name": "all", "downstream_remote_address": "10.0.35.28:51000",
            "downstream_local_address": "[::1]:8080", "trace_id": "1b".repeat(16),
        })
    );
}

#[test]
fn a_request_that_reached_nothing_has_dashes() {
    let record = Record { status: 404, flag: Flag::NoRouteFound, upstream: Address::NONE, ..Record::default() };
    let nowhere = Entry { route: "", cluster: "", ..entry(&record, &[]) };
    let source = "%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG% %RESPONSE_CODE_DETAILS% %UPSTREAM_HOST% %UPSTREAM_CLUSTER% \
                  %ROUTE_NAME% %REQ(X-NONE)% %RESPONSE_DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% %TRACE_ID%";
    assert_eq!(line(source, &nowhere), "NR NoRouteFound route_not_found - - - - - - -\n");
}

#[test]
fn the_details_of_a_failure_carry_its_sentence_without_spaces() {
    let record = Record { status: 503, flag: Flag::UpstreamConnectionFailure, ..Record::default() };
    let failed = Entry { detail: "the endpoint \"refused\" it", ..entry(&record, &[]) };
    let expected = "upstream_reset_before_response_started{connection_failure|the_endpoint__refused__it}\n";
    assert_eq!(line("%RESPONSE_CODE_DETAILS%", &failed), expected);
    let record = Record { status: 404, flag: Flag::NoRouteFound, ..Record::default() };
    let nowhere = Entry { detail: "no route takes it", ..entry(&record, &[]) };
    assert_eq!(line("%RESPONSE_CODE_DETAILS%", &nowhere), "route_not_found{no_route_takes_it}\n");
}

#[test]
fn a_redacted_header_is_named_by_a_format_and_never_written() {
    let redact = ["Authorization".to_owned(), "set-cookie".to_owned()];
    let format = Format::compile("%REQ(authorization)% %RESP(Set-Cookie)% %REQ(A?AUTHORIZATION):4%", &redact).unwrap();
    assert_eq!((format.request_headers(), format.response_headers().len()), (&["a".to_owned()][..], 0));
    let mut out = Vec::new();
    format.format(&entry(&answered(), &[None]), &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "[redacted] [redacted] [red\n");
}

#[test]
fn operators_take_the_second_header_a_length_and_the_path_without_its_query() {
    let record = answered();
    let with_headers = entry(&record, &[None, Some(b"second")]);
    assert_eq!(line("%REQ(A?B):3% %REQ_WITHOUT_QUERY(:PATH)% 100%%", &with_headers), "sec /api/v1/locations 100%\n");
    let source = "%LISTENER_NAME% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %RESP(:STATUS)%";
    assert_eq!(line(source, &with_headers), "edge 10.0.35.28 ::1 204\n");
}

#[test]
fn a_format_ends_its_lines_once() {
    let record = answered();
    assert_eq!(line("%PROTOCOL%\n", &entry(&record, &[])), "HTTP/2\n");
    assert_eq!(line("%PROTOCOL%", &entry(&record, &[])), "HTTP/2\n");
}

#[test]
fn the_request_duration_of_a_body_is_not_guessed() {
    let with_body = Record { head_us: 5_000, ..answered() };
    let without = Record { request_bytes: 0, ..with_body };
    assert_eq!(line("%REQUEST_DURATION%", &entry(&with_body, &[])), "-\n");
    assert_eq!(line("%REQUEST_DURATION%", &entry(&without, &[])), "5\n");
}

#[test]
fn a_word_that_is_no_format_is_refused() {
    let error = Format::compile("jsno", &[]).unwrap_err();
    assert!(error.message.contains("neither `text` nor `json`"), "{error}");
}

proptest! {
    #[test]
    fn any_text_compiles_to_a_format_that_works_or_to_an_error_with_its_place(
        source in "([ -~]|é|%[A-Z_]{1,12}|%REQ\\(|%START_TIME\\(%|\\)|:[0-9]|%){0,12}",
    ) {
        match Format::compile(&source, &[]) {
            Ok(format) => {
                let mut out = Vec::new();
                format.format(&entry(&answered(), &[]), &mut out);
                prop_assert!(out.ends_with(b"\n"));
            }
            Err(error) => prop_assert!(source.is_char_boundary(error.position)),
        }
    }

    #[test]
    fn whatever_the_client_sends_an_entry_is_one_line_with_the_columns_of_the_format(
        path in prop::collection::vec(any::<u8>(), 1..100),
        agent in prop::collection::vec(any::<u8>(), 1..100),
    ) {
        let record = answered();
        let texts = Texts { path: &path, ..TEXTS };
        let headers: [Option<&[u8]>; 2] = [None, Some(&agent)];
        let entry = Entry { texts: &texts, ..entry(&record, &headers) };
        let text = line("text", &entry);
        prop_assert_eq!(text.matches('\n').count(), 1);
        prop_assert_eq!(text.matches('"').count(), 12);
        prop_assert!(text.ends_with("\"cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2\" \"locations\" \"10.0.2.1:80\"\n"));
        let json = line("json", &entry);
        prop_assert_eq!(json.matches('\n').count(), 1);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(json["user_agent"].as_str().unwrap(), String::from_utf8_lossy(&agent));
        prop_assert_eq!(json.as_object().unwrap().len(), JSON.len());
    }
}
