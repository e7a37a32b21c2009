//! `retry-after` (RFC 9110 section 10.2.3): seconds, or the moment as a date.

use std::time::SystemTime;

use super::head::ResponseHead;

/// How long an answer asks to wait, in whole seconds; a moment that has passed is none. `None`: it does not ask.
pub fn retry_after(head: &ResponseHead) -> Option<u32> {
    let text = std::str::from_utf8(head.find(b"retry-after")?).ok()?.trim_ascii();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.parse().unwrap_or(u32::MAX));
    }
    let left = httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::now()).unwrap_or_default();
    Some(u32::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::http::parse::{HeadLimits, parse_response};

    fn read(value: &str) -> Option<u32> {
        let text = format!("HTTP/1.1 503 x\r\nretry-after: {value}\r\n\r\n");
        let mut head = ResponseHead::new();
        parse_response(text.as_bytes(), HeadLimits { max_bytes: 1024, max_fields: 10 }, &mut head).unwrap();
        retry_after(&head)
    }

    #[test]
    fn seconds_and_dates_are_understood_and_anything_else_asks_for_nothing() {
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(90));
        let wait = read(&soon).unwrap();
        assert!((88..=91).contains(&wait), "{wait}");
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(0));
        assert_eq!((read("120"), read("0"), read("99999999999")), (Some(120), Some(0), Some(u32::MAX)));
        assert_eq!((read(""), read("-1"), read("1.5"), read("soon")), (None, None, None, None));
    }
}
