//! What the pipeline wrote for a door, told as events. The bytes are our own, so that they are read and not doubted.

use memchr::memmem;

use super::Event;

/// Where an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Head,
    /// In a body of which so many bytes are missing.
    Length(u64),
    /// In a body that ends with the stream.
    UntilEnd,
    Over,
}

/// How the stream has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Clean,
    Aborted,
}

/// One answer on its way out.
pub(super) struct Answering {
    place: Place,
    /// To a HEAD request: no body follows.
    head_only: bool,
    /// The outside writes a `date` of its own.
    own_date: bool,
    bytes: Vec<u8>,
    head: Vec<u8>,
    end: Option<End>,
}

impl Answering {
    pub(super) fn new(head_only: bool, own_date: bool) -> Self {
        Self { place: Place::Head, head_only, own_date, bytes: Vec::new(), head: Vec::new(), end: None }
    }

    /// Where bytes are put that were written.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(super) fn is_over(&self) -> bool {
        self.place == Place::Over
    }

    /// Nothing more will be written.
    pub(super) fn end(&mut self, aborted: bool) {
        self.end = Some(if aborted { End::Aborted } else { End::Clean });
    }

    /// Tells what the bytes hold and uses them up, but for a head that is not whole.
    pub(super) fn advance(&mut self, mut tell: impl FnMut(Event<'_>)) {
        let mut at = 0;
        while self.place == Place::Head {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let Some(end) = memmem::find(rest, b"\r\n\r\n") else { break };
            let wire = rest.get(..end + 2).unwrap_or_default();
            let body = rest.get(end + 4..).unwrap_or_default();
            at += end + 4;
            if !wire.starts_with(VERSION) {
                self.place = Place::UntilEnd;
                tell(Event::Socket { head: wire });
                break;
            }
            let (status, length) = read_head(wire, self.own_date, &mut self.head);
            if (100..200).contains(&status) && status != 101 {
                tell(Event::Informational { head: &self.head });
                continue;
            }
            let bodiless = self.head_only || matches!(status, 204 | 304);
            let (body, place) = match length {
                _ if bodiless => (&[][..], Place::Over),
                Some(length) => take(body, length),
                None => (body, Place::UntilEnd),
            };
            at = self.bytes.len();
            let whole = place == Place::Over || (place == Place::UntilEnd && self.end == Some(End::Clean));
            self.place = if whole { Place::Over } else { place };
            tell(Event::Answer { head: &self.head, length, body, whole });
        }
        self.go_on(at, &mut tell);
    }

    fn go_on(&mut self, at: usize, tell: &mut impl FnMut(Event<'_>)) {
        let rest = self.bytes.get(at..).unwrap_or_default();
        match self.place {
            Place::Head => {
                self.bytes.drain(..at);
            }
            Place::Over => self.bytes.clear(),
            Place::Length(_) | Place::UntilEnd => {
                let (bytes, place) = match self.place {
                    Place::Length(missing) => take(rest, missing),
                    _ => (rest, self.place),
                };
                let last = place == Place::Over || (place == Place::UntilEnd && self.end == Some(End::Clean));
                self.place = if last { Place::Over } else { place };
                if last || !bytes.is_empty() {
                    tell(Event::Body { bytes, last });
                }
                self.bytes.clear();
            }
        }
        if self.end.is_some() && self.place != Place::Over {
            self.place = Place::Over;
            tell(Event::Broken);
        }
    }
}

/// As much of a body as belongs to it.
fn take(bytes: &[u8], missing: u64) -> (&[u8], Place) {
    let rest = missing.saturating_sub(bytes.len() as u64);
    if rest > 0 {
        return (bytes, Place::Length(rest));
    }
    let own = usize::try_from(missing).unwrap_or(usize::MAX);
    (bytes.get(..own).unwrap_or_default(), Place::Over)
}

/// Copies a head without its version and without the lines that belong to a connection, or with a door of its own `date`
/// to the door; its status and its length.
fn read_head(wire: &[u8], own_date: bool, head: &mut Vec<u8>) -> (u16, Option<u64>) {
    head.clear();
    head.reserve(wire.len());
    let wire = wire.get(VERSION.len()..).unwrap_or_default();
    let status = wire.get(..3).and_then(number).and_then(|status| u16::try_from(status).ok()).unwrap_or_default();
    let mut length = None;
    let (mut run, mut at) = (0, 0);
    for end in memchr::memchr_iter(b'\n', wire) {
        let line = wire.get(at..=end).unwrap_or_default();
        if let Some(own) = of_connection(line).filter(|own| own_date || *own != DATE) {
            head.extend_from_slice(wire.get(run..at).unwrap_or_default());
            run = end + 1;
            if own == CONTENT_LENGTH {
                length = line.get(own.len() + 1..).map(<[u8]>::trim_ascii).and_then(number);
            }
        }
        at = end + 1;
    }
    head.extend_from_slice(wire.get(run..).unwrap_or_default());
    (status, length)
}

/// What an answer begins with, and a request does not.
const VERSION: &[u8] = b"HTTP/1.1 ";

const CONTENT_LENGTH: &[u8] = b"content-length";

const DATE: &[u8] = b"date";

/// The name of a line that belongs to one connection, or is a date.
fn of_connection(line: &[u8]) -> Option<&'static [u8]> {
    const NAMES: [&[u8]; 5] = [CONTENT_LENGTH, b"connection", b"transfer-encoding", b"keep-alive", DATE];
    if !matches!(line.first(), Some(b'c' | b'C' | b't' | b'T' | b'k' | b'K' | b'd' | b'D')) {
        return None;
    }
    let is = |name: &&[u8]| {
        line.get(name.len()) == Some(&b':') && line.get(..name.len()).is_some_and(|own| own.eq_ignore_ascii_case(name))
    };
    NAMES.into_iter().find(is)
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the pieces and tells the events in words.
    fn told(head_only: bool, pieces: &[&str], aborted: bool) -> Vec<String> {
        let mut answering = Answering::new(head_only, false);
        let mut events = Vec::new();
        let mut tell = |event: Event<'_>| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().replace("\r\n", "|");
            events.push(match event {
                Event::Informational { head } => format!("1xx {}", text(head)),
                Event::Answer { head, length, body, whole } => {
                    format!("{} {length:?} {:?}{}", text(head), text(body), if whole { " whole" } else { "" })
                }
                Event::Body { bytes, last } => format!("{:?}{}", text(bytes), if last { " last" } else { "" }),
                Event::Socket { head } => format!("socket {}", text(head)),
                Event::Drain => "drain".to_owned(),
                Event::Broken => "broken".to_owned(),
            });
        };
        for piece in pieces {
            answering.bytes().extend_from_slice(piece.as_bytes());
            answering.advance(&mut tell);
        }
        answering.end(aborted);
        answering.advance(&mut tell);
        events
    }

    #[test]
    fn a_short_answer_is_one_event_without_the_lines_of_a_connection() {
        let wire = "HTTP/1.1 200 OK\r\na: 1\r\nConnection: close\r\ncontent-length: 3\r\nb: 2\r\n\r\nabc";
        assert_eq!(told(false, &[wire], false), ["200 OK|a: 1|b: 2| Some(3) \"abc\" whole"]);
        assert_eq!(told(true, &[&wire[..wire.len() - 3]], false), ["200 OK|a: 1|b: 2| Some(3) \"\" whole"]);
    }

    #[test]
    fn a_door_that_writes_the_date_is_not_told_of_another() {
        let wire = b"HTTP/1.1 200 OK\r\nDate: now\r\na: 1\r\ndated: b\r\n\r\n";
        for (own_date, head) in
            [(true, "200 OK\r\na: 1\r\ndated: b\r\n"), (false, "200 OK\r\nDate: now\r\na: 1\r\ndated: b\r\n")]
        {
            let mut answering = Answering::new(true, own_date);
            answering.bytes().extend_from_slice(wire);
            let mut told = Vec::new();
            answering.advance(|event| {
                if let Event::Answer { head, .. } = event {
                    told = head.to_vec();
                }
            });
            assert_eq!(String::from_utf8(told).unwrap(), head);
        }
    }

    #[test]
    fn an_answer_comes_in_any_pieces() {
        let wire = "HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabcd";
        for at in 0..wire.len() {
            let events = told(false, &[&wire[..at], &wire[at..]], false);
            assert_eq!(events[0], "1xx 103 Early Hints|link: a|", "{at}");
            assert!(events[1].starts_with("200 OK| Some(4) "), "{at}: {events:?}");
            assert!(events.last().unwrap().ends_with(" whole") || events.last().unwrap().ends_with("last"), "{at}");
        }
    }

    #[test]
    fn a_body_without_a_length_ends_with_the_stream_unless_it_is_aborted() {
        let pieces = ["HTTP/1.1 200 OK\r\n\r\na", "b"];
        assert_eq!(told(false, &pieces, false), ["200 OK| None \"a\"", "\"b\"", "\"\" last"]);
        assert_eq!(told(false, &pieces, true), ["200 OK| None \"a\"", "\"b\"", "broken"]);
    }

    #[test]
    fn an_upgrade_is_a_body_until_the_end() {
        let pieces = ["HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nab", "c"];
        let head = "101 Switching Protocols|upgrade: websocket| None \"ab\"";
        assert_eq!(told(false, &pieces, false), [head, "\"c\"", "\"\" last"]);
    }

    #[test]
    fn a_socket_of_the_door_is_told_with_its_request() {
        assert_eq!(
            told(false, &["GET /a HTTP/1.1\r\nhost: b\r\n\r\n"], false),
            ["socket GET /a HTTP/1.1|host: b|", "\"\" last"]
        );
    }

    #[test]
    fn what_is_missing_makes_a_broken_answer() {
        assert_eq!(told(false, &[], false), ["broken"]);
        let pieces = ["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na"];
        assert_eq!(told(false, &pieces, false), ["200 OK| Some(3) \"a\"", "broken"]);
        assert_eq!(told(false, &["HTTP/1.1 200 OK\r\nConten"], false), ["broken"]);
    }

    #[test]
    fn an_answer_that_may_have_no_body_is_whole_with_its_head() {
        assert_eq!(told(false, &["HTTP/1.1 204 No Content\r\n\r\n"], false), ["204 No Content| None \"\" whole"]);
        let unchanged = "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n";
        assert_eq!(told(false, &[unchanged], false), ["304 Not Modified| Some(9) \"\" whole"]);
    }
}
