//! `header-rewrite`: changes header lines of the request on its way down and of the answer on its way up.
//!
//! Replacements come first, on the lines as they came; then lines are removed, set, added. What the proxy itself writes
//! (framing, hop-by-hop lines, Host, `date`, `via`, `x-forwarded-*`, the request id) cannot be changed here.

use std::borrow::Cow;

use regex::bytes::{Regex, RegexBuilder};
use smallvec::SmallVec;

use super::header_text::{HeaderText, Sources};
use super::lines::Lines;
use super::{Filter, Request, Response, Verdict};
use crate::http::changes::check;
use crate::http::head::is_value;
use crate::snapshot::{HeaderEdits, HeaderLine, HeaderRewrite as Settings};

/// Memory that a compiled expression may take; the engine is linear in the text whatever the expression.
const REGEX_BYTES: usize = 1 << 20;

/// The filter.
pub(super) struct HeaderRewrite {
    request: Edits,
    response: Edits,
}

struct Edits {
    replace: Box<[Replace]>,
    remove: Box<[Box<[u8]>]>,
    set: Box<[Line]>,
    add: Box<[Line]>,
}

struct Line {
    name: Box<[u8]>,
    text: HeaderText,
}

struct Replace {
    name: Box<[u8]>,
    regex: Regex,
    with: Box<[u8]>,
}

impl HeaderRewrite {
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        Ok(Self {
            request: Edits::new(&settings.request).map_err(|message| format!("request: {message}"))?,
            response: Edits::new(&settings.response).map_err(|message| format!("response: {message}"))?,
        })
    }
}

impl Filter for HeaderRewrite {
    fn request(&self, request: &mut Request<'_>) -> Verdict {
        let facts = request.facts;
        self.request.apply(request.head, |text, head| text.write(&Sources { facts, request: head, response: None }));
        Verdict::Continue
    }

    fn response(&self, response: &mut Response<'_>) {
        let (facts, request) = (response.facts, response.request);
        self.response.apply(response.head, |text, head| text.write(&Sources { facts, request, response: Some(head) }));
    }
}

impl Edits {
    fn new(settings: &HeaderEdits) -> Result<Self, String> {
        let line = |line: &HeaderLine| {
            let text = HeaderText::compile(&line.value).map_err(|message| format!("{}: {message}", line.name))?;
            if !is_value(line.value.as_bytes()) {
                return Err(format!("{}: the value holds a control byte", line.name));
            }
            Ok(Line { name: name(&line.name)?, text })
        };
        let replace = settings.replace.iter().map(|replace| {
            let compiled = RegexBuilder::new(&replace.regex).size_limit(REGEX_BYTES).build();
            let regex = compiled.map_err(|error| format!("{}: {error}", replace.name))?;
            if !is_value(replace.with.as_bytes()) {
                return Err(format!("{}: the replacement holds a control byte", replace.name));
            }
            Ok(Replace { name: name(&replace.name)?, regex, with: replace.with.as_bytes().into() })
        });
        Ok(Self {
            replace: replace.collect::<Result<_, String>>()?,
            remove: settings.remove.iter().map(|text| name(text)).collect::<Result<_, String>>()?,
            set: settings.set.iter().map(line).collect::<Result<_, String>>()?,
            add: settings.add.iter().map(line).collect::<Result<_, String>>()?,
        })
    }

    fn apply<H: Lines>(&self, head: &mut H, write: impl Fn(&HeaderText, &H) -> super::header_text::Scratch) {
        for replace in &self.replace {
            replace.apply(head);
        }
        for name in &self.remove {
            head.remove(name);
        }
        for (line, alone) in self.set.iter().map(|line| (line, true)).chain(self.add.iter().map(|line| (line, false))) {
            // Written before the old lines go: the value may speak of them.
            let scratch = line.text.fixed().is_none().then(|| write(&line.text, head));
            let value =
                line.text.fixed().or(scratch.as_ref().map(super::header_text::Scratch::bytes)).unwrap_or_default();
            if alone {
                head.remove(&line.name);
            }
            // A value of operators that stand for nothing is no line; an empty one that was asked for is.
            if !value.is_empty() || line.text.fixed().is_some() {
                head.append(&line.name, value);
            }
        }
    }
}

impl Replace {
    /// Lines of the name that change move behind the others; nothing is copied when none does.
    fn apply<H: Lines>(&self, head: &mut H) {
        let values: SmallVec<[Cow<'_, [u8]>; 4]> =
            head.values(&self.name).map(|value| self.regex.replace_all(value, &*self.with)).collect();
        if values.iter().all(|value| matches!(value, Cow::Borrowed(_))) {
            return;
        }
        let values: SmallVec<[Vec<u8>; 4]> = values.into_iter().map(Cow::into_owned).collect();
        head.remove(&self.name);
        for value in values {
            head.append(&self.name, &value);
        }
    }
}

/// A name that may be changed.
fn name(text: &str) -> Result<Box<[u8]>, String> {
    check(0, text, "").map_err(|invalid| format!("`{text}` {}", invalid.reason))?;
    Ok(text.as_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Facts;
    use crate::http::head::{RequestHead, ResponseHead};
    use crate::http::parse::{HeadLimits, parse_request, parse_response};
    use crate::snapshot::HeaderReplace;

    const LIMITS: HeadLimits = HeadLimits { max_bytes: 4096, max_fields: 100 };

    fn text(name: &str, value: &str) -> HeaderLine {
        HeaderLine { name: name.into(), value: value.into() }
    }

    fn facts() -> Facts<'static> {
        Facts {
            client: "10.0.0.7".parse().ok(),
            trusted_hops: 0,
            generated_id: None,
            retries_told: None,
            now: std::time::Instant::now(),
        }
    }

    fn lines<'a>(head: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Vec<String> {
        head.map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii())).collect()
    }

    fn rewritten(edits: HeaderEdits, sent: &str) -> Vec<String> {
        let filter = HeaderRewrite::new(&Settings { request: edits, response: HeaderEdits::default() }).unwrap();
        let mut head = RequestHead::new();
        parse_request(format!("GET / HTTP/1.1\r\nHost: a\r\n{sent}\r\n").as_bytes(), LIMITS, &mut head).unwrap();
        let _continue = filter.request(&mut Request {
            head: &mut head,
            facts: facts(),
            state: &mut None,
            mark: None,
            allowance: None,
            outside: None,
        });
        lines(head.section().iter().skip(1))
    }

    #[test]
    fn lines_are_removed_set_and_added_in_this_order() {
        let edits = HeaderEdits {
            remove: vec!["x-debug".into()],
            set: vec![text("x-env", "prod"), text("x-who", "%REQ(x-who)%@%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%")],
            add: vec![text("x-tag", "new"), text("x-none", "%REQ(x-debug)%")],
            ..HeaderEdits::default()
        };
        let sent = "X-Debug: 1\r\nX-Env: dev\r\nx-env: test\r\nX-Tag: old\r\nX-Who: me\r\n";
        assert_eq!(rewritten(edits, sent), ["X-Tag: old", "x-env: prod", "x-who: me@10.0.0.7", "x-tag: new"]);
    }

    #[test]
    fn text_in_values_is_replaced_with_groups_of_the_match() {
        let replace = |regex: &str, with: &str| HeaderEdits {
            replace: vec![HeaderReplace { name: "x-path".into(), regex: regex.into(), with: with.into() }],
            ..HeaderEdits::default()
        };
        let sent = "X-Path: /v1/a\r\nX-Other: /v1/b\r\nX-Path: /v2/c\r\n";
        assert_eq!(
            rewritten(replace("^/v1/(?<rest>.*)", "/new/${rest}"), sent),
            ["X-Other: /v1/b", "x-path: /new/a", "x-path: /v2/c"]
        );
        assert_eq!(rewritten(replace("nothing", ""), sent).len(), 3);
        // Linear in the value: this one takes exponential time in a backtracking engine.
        let long = format!("X-Path: {}\r\n", "a".repeat(3_000));
        assert_eq!(rewritten(replace("^(a|a?)+$", "b"), &long), ["x-path: b"]);
    }

    #[test]
    fn an_answer_is_changed_on_the_way_up() {
        let edits = HeaderEdits {
            remove: vec!["server".into()],
            set: vec![text("x-for", "%REQ(x-user)%"), text("x-was", "%RESP(x-from)%")],
            ..HeaderEdits::default()
        };
        let filter = HeaderRewrite::new(&Settings { request: HeaderEdits::default(), response: edits }).unwrap();
        let (mut request, mut head) = (RequestHead::new(), ResponseHead::new());
        parse_request(b"GET / HTTP/1.1\r\nHost: a\r\nX-User: u\r\n\r\n", LIMITS, &mut request).unwrap();
        parse_response(b"HTTP/1.1 200 OK\r\nServer: s\r\nX-From: f\r\n\r\n", LIMITS, &mut head).unwrap();
        filter.response(&mut Response {
            head: &mut head,
            request: &request,
            facts: facts(),
            state: &mut None,
            outside: None,
        });
        assert_eq!(lines(head.section().iter()), ["X-From: f", "x-for: u", "x-was: f"]);
    }

    #[test]
    fn what_cannot_be_changed_is_refused() {
        for (edits, reason) in [
            (HeaderEdits { remove: vec!["Content-Length".into()], ..HeaderEdits::default() }, "proxy's own"),
            (HeaderEdits { set: vec![text("host", "b")], ..HeaderEdits::default() }, "by a rewrite"),
            (HeaderEdits { set: vec![text("x y", "b")], ..HeaderEdits::default() }, "is not a header name"),
            (HeaderEdits { add: vec![text("x", "a\nb")], ..HeaderEdits::default() }, "control byte"),
            (HeaderEdits { add: vec![text("x", "%NO%")], ..HeaderEdits::default() }, "not an operator"),
            (
                HeaderEdits {
                    replace: vec![HeaderReplace { name: "x".into(), regex: "(".into(), with: String::new() }],
                    ..HeaderEdits::default()
                },
                "unclosed group",
            ),
        ] {
            let settings = Settings { request: HeaderEdits::default(), response: edits };
            let message = HeaderRewrite::new(&settings).err().unwrap();
            assert!(message.contains(reason) && message.starts_with("response: "), "{message}");
        }
    }
}
