//! Paths and hosts as they are matched and authorised: one spelling for each, decided before any route sees them.
//!
//! Invariants: normalising twice changes nothing; what cannot be spelled in one way only is refused, not guessed.
//! An escaped slash (`%2F`) is data, never a separator, and stays as it was written.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use super::parse::Refusal;

/// Writes the path (without query) with dot segments resolved, `//` merged and unreserved escapes decoded.
///
/// Dot segments also when escaped (`%2e`). Refused: a path that climbs above the root, `%00`, broken escapes, `\`
/// (a separator to some upstreams), bytes that no target may hold.
pub fn normalise_path(path: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    match scan_path(path)? {
        Spelling::Normal => out.extend_from_slice(path),
        Spelling::Other => rewrite_path(path, out)?,
    }
    Ok(())
}

/// Writes the host of an authority: no port, lower case, no trailing dot.
pub fn normalise_host(authority: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let host = scan_host(authority)?;
    let start = out.len();
    out.extend_from_slice(authority.get(..host.end).unwrap_or_default());
    if host.spelling == Spelling::Other {
        out.get_mut(start..).unwrap_or_default().make_ascii_lowercase();
    }
    Ok(())
}

/// The host of an authority as it is matched, where it lies when it is spelled so already; `None` when it is no host.
pub fn plain_host(authority: &[u8]) -> Option<Cow<'_, [u8]>> {
    let host = scan_host(authority).ok()?;
    let text = authority.get(..host.end).unwrap_or_default();
    Some(match host.spelling {
        Spelling::Normal => Cow::Borrowed(text),
        Spelling::Other => Cow::Owned(text.to_ascii_lowercase()),
    })
}

/// Whether a text may be used as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    Normal,
    Other,
}

/// Looks a path over without writing: most paths are normal already and are forwarded from where they lie.
pub(super) fn scan_path(path: &[u8]) -> Result<Spelling, Refusal> {
    if path.first() != Some(&b'/') {
        return Err(Refusal::bad("the path does not begin with a slash"));
    }
    let mut spelling = Spelling::Normal;
    let mut previous = 0;
    for &byte in path {
        match byte {
            b'/' | b'.' if previous == b'/' => spelling = Spelling::Other,
            b'%' => spelling = Spelling::Other,
            b'\\' | b'#' | b'?' => return Err(Refusal::bad("the path holds a byte that must be escaped")),
            0x21..=0x7e => {}
            _ => return Err(Refusal::bad("the path holds a control byte or is not ascii")),
        }
        previous = byte;
    }
    Ok(spelling)
}

/// The writing half of [`normalise_path`]; the path has been scanned.
pub(super) fn rewrite_path(path: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let root = out.len();
    let mut rest = path;
    // `out` ends in the slash that opens the current segment whenever a segment begins.
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'/' => open_segment(root, out)?,
            b'%' => {
                let value = escape(rest)?;
                if is_unreserved(value) {
                    out.push(value);
                } else {
                    out.push(b'%');
                    out.extend_from_slice(rest.get(..2).unwrap_or_default());
                }
                rest = rest.get(2..).unwrap_or_default();
            }
            _ => out.push(byte),
        }
    }
    let last = out.get(segment_start(root, out)..).unwrap_or_default();
    let keeps_slash = matches!(last, b"" | b"." | b"..");
    open_segment(root, out)?;
    if !keeps_slash {
        out.pop();
    }
    Ok(())
}

/// Where the segment at the end of `out` begins.
fn segment_start(root: usize, out: &[u8]) -> usize {
    root + memchr::memrchr(b'/', out.get(root..).unwrap_or_default()).map_or(0, |slash| slash + 1)
}

/// Ends the segment at the end of `out`, resolving it when it is a dot segment (RFC 3986 5.2.4), and opens the next.
fn open_segment(root: usize, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let begin = segment_start(root, out);
    match out.get(begin..).unwrap_or_default() {
        b"" if begin > root => {}
        b"." => out.truncate(begin),
        b".." => {
            let parent = out.get(root..begin.saturating_sub(1)).unwrap_or_default();
            let Some(slash) = memchr::memrchr(b'/', parent) else {
                return Err(Refusal::bad("the path climbs above its root"));
            };
            out.truncate(root + slash + 1);
        }
        _ => out.push(b'/'),
    }
    Ok(())
}

/// The byte that the two hex digits after a `%` stand for.
fn escape(digits: &[u8]) -> Result<u8, Refusal> {
    let digit = |at: usize| digits.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    match (digit(0), digit(1)) {
        (Some(0), Some(0)) => Err(Refusal::bad("the path holds an escaped nul")),
        (Some(high), Some(low)) => Ok((high * 16 + low) as u8),
        _ => Err(Refusal::bad("the path holds a broken escape")),
    }
}

/// RFC 3986 2.3: bytes whose escape means the same as the byte itself.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The host part of an authority.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostPart {
    /// Bytes of the authority that are the host, without a trailing dot.
    pub(super) end: usize,
    /// `Other` when it must be lower-cased.
    pub(super) spelling: Spelling,
}

/// Checks an authority and finds its host. Stricter than RFC 3986: a registered name is letters, digits and `-._~`
/// in non-empty labels, since other bytes there have only ever split two parsers.
pub(super) fn scan_host(authority: &[u8]) -> Result<HostPart, Refusal> {
    if authority.first() == Some(&b'[') {
        return scan_ipv6(authority);
    }
    let mut spelling = Spelling::Normal;
    let mut previous = b'.';
    let mut end = authority.len();
    for (at, &byte) in authority.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {}
            b'A'..=b'Z' => spelling = Spelling::Other,
            b'.' if previous != b'.' => {}
            b':' => {
                check_port(authority.get(at + 1..).unwrap_or_default())?;
                end = at;
                break;
            }
            b'@' => return Err(Refusal::bad("the authority holds user information")),
            _ => return Err(Refusal::bad("the host is not a name or an address")),
        }
        previous = byte;
    }
    if end == 0 {
        return Err(Refusal::bad("the host is empty"));
    }
    if end > 255 {
        return Err(Refusal::bad("the host is longer than a name can be"));
    }
    if previous == b'.' {
        end -= 1;
    }
    Ok(HostPart { end, spelling })
}

/// A literal in brackets, without a zone: a zone means something on one machine only.
fn scan_ipv6(authority: &[u8]) -> Result<HostPart, Refusal> {
    let invalid = Refusal::bad("the host is not an ipv6 address");
    let close = memchr::memchr(b']', authority).ok_or(invalid)?;
    let literal = authority.get(1..close).and_then(|inner| str::from_utf8(inner).ok()).ok_or(invalid)?;
    literal.parse::<Ipv6Addr>().map_err(|_| invalid)?;
    match authority.get(close + 1..).unwrap_or_default().split_first() {
        None => {}
        Some((b':', port)) => check_port(port)?,
        Some(_) => return Err(invalid),
    }
    let upper = literal.bytes().any(|byte| byte.is_ascii_uppercase());
    Ok(HostPart { end: close + 1, spelling: if upper { Spelling::Other } else { Spelling::Normal } })
}

/// Empty is the scheme's default (RFC 3986 3.2.3); else 1 to 65535 in digits.
fn check_port(port: &[u8]) -> Result<(), Refusal> {
    let number = port.iter().try_fold(0u32, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
        Some(number * 10 + digit).filter(|number| *number <= 65535)
    });
    match number {
        Some(0) if !port.is_empty() => Err(Refusal::bad("the port is zero")),
        Some(_) => Ok(()),
        None => Err(Refusal::bad("the port is not a number up to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Result<String, &'static str> {
        let mut out = b"before/".to_vec();
        normalise_path(text.as_bytes(), &mut out).map_err(|refusal| refusal.reason)?;
        Ok(String::from_utf8(out.split_off(7)).unwrap())
    }

    fn host(text: &str) -> Option<String> {
        let mut out = Vec::new();
        normalise_host(text.as_bytes(), &mut out).ok()?;
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_path_has_one_spelling() {
        for (written, normal) in [
            ("/", "/"),
            ("//", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("/a//b///", "/a/b/"),
            ("/.", "/"),
            ("/./a", "/a"),
            ("/a/.", "/a/"),
            ("/a/..", "/"),
            ("/a/../", "/"),
            ("/a/b/..", "/a/"),
            ("/a/b/../../c", "/c"),
            ("/a//../b", "/b"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e", "/"),
            ("/%61%7Eb", "/a~b"),
            ("/a%2Fb%2fc", "/a%2Fb%2fc"),
            ("/a%2F..%2Fb", "/a%2F..%2Fb"),
            ("/%252e%252e/", "/%252e%252e/"),
            ("/a%20b", "/a%20b"),
            ("/...", "/..."),
            ("/.a/..b", "/.a/..b"),
            ("/a;x=1/b", "/a;x=1/b"),
        ] {
            assert_eq!(path(written).as_deref(), Ok(normal), "{written}");
            assert_eq!(path(normal).as_deref(), Ok(normal), "{normal} again");
        }
    }

    #[test]
    fn a_path_with_two_readings_is_refused() {
        for written in
            ["", "a", "/..", "/a/../..", "/%2e%2e", "/a%00", "/%", "/%4", "/%zz", "/%4%31", "/a\\b", "/a b", "/\u{e9}"]
        {
            assert!(path(written).is_err(), "{written}");
        }
    }

    #[test]
    fn a_host_has_one_spelling() {
        for (written, normal) in [
            ("a", "a"),
            ("Example.COM", "example.com"),
            ("example.com.", "example.com"),
            ("example.com.:80", "example.com"),
            ("a:", "a"),
            ("a:65535", "a"),
            ("10.0.0.1:1", "10.0.0.1"),
            ("outbound_.80_._.reviews", "outbound_.80_._.reviews"),
            ("[::1]", "[::1]"),
            ("[FE80::1]:443", "[fe80::1]"),
        ] {
            assert_eq!(host(written).as_deref(), Some(normal), "{written}");
        }
        for written in [
            "",
            ":80",
            ".",
            ".a",
            "a..b",
            "a..",
            "a:0",
            "a:65536",
            "a:99999999999",
            "a:8o",
            "a:+8",
            "u@a",
            "u:p@a",
            "a b",
            "a,b",
            "a/b",
            "a%2e",
            "\u{e9}",
            "[::1",
            "[]",
            "[::1]x",
            "[::1]:x",
            "[fe80::1%25eth0]",
            "[v1.a]",
            "a[",
        ] {
            assert_eq!(host(written), None, "{written}");
        }
        assert_eq!(host(&"a".repeat(256)), None);
    }
}
