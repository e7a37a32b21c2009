//! What a script wants changed, read from its text: one edit for each line, checked as a whole before any is made.
//!
//! `=name: value` sets a header, `+name: value` appends one, `-name` removes all of the name, `p/path?query` asks for
//! another target, `r name` takes that route, `c name` that cluster, `s 418` is another status; `!STATUS` answers
//! directly with the header lines (`name: value`) that follow. Invariant: what passes [`Edits::read`] can be made
//! without failing, so that a filter which is passed over for a bad edit has changed nothing.

use std::str;

use crate::filter::lines::Lines;
use crate::http::changes::owned;
use crate::http::direct::Direct;
use crate::http::head::{is_token, is_value};
use crate::http::path::normalise_path;

/// Edits that were checked.
pub(super) struct Edits<'a> {
    text: &'a [u8],
}

/// One edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit<'a> {
    Set(&'a [u8], &'a [u8]),
    Append(&'a [u8], &'a [u8]),
    Remove(&'a [u8]),
    Target(&'a [u8]),
    Route(&'a [u8]),
    Cluster(&'a [u8]),
    Status(u16),
}

/// Why a script's text is refused.
pub(super) type Nonsense = String;

impl<'a> Edits<'a> {
    /// Checks every edit: its form here, what it means for this head by `allows`.
    pub(super) fn read(
        text: &'a [u8],
        mut allows: impl FnMut(Edit<'a>) -> Result<(), Nonsense>,
    ) -> Result<Self, Nonsense> {
        for line in lines(text) {
            let edit = edit(line).ok_or_else(|| format!("`{}` is no edit", line.escape_ascii()))?;
            match edit {
                Edit::Set(name, value) | Edit::Append(name, value) => check_line(name, value)?,
                Edit::Remove(name) => check_line(name, b"")?,
                _ => {}
            }
            allows(edit)?;
        }
        Ok(Self { text })
    }

    /// The edits in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Edit<'a>> {
        lines(self.text).filter_map(edit)
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn edit(line: &[u8]) -> Option<Edit<'_>> {
    let (kind, rest) = line.split_first()?;
    Some(match kind {
        b'=' => parted(rest).map(|(name, value)| Edit::Set(name, value))?,
        b'+' => parted(rest).map(|(name, value)| Edit::Append(name, value))?,
        b'-' => Edit::Remove(rest),
        b'p' => Edit::Target(rest),
        b'r' => Edit::Route(rest.strip_prefix(b" ")?),
        b'c' => Edit::Cluster(rest.strip_prefix(b" ")?),
        b's' => Edit::Status(status(rest.strip_prefix(b" ")?)?),
        _ => return None,
    })
}

fn parted(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memmem::find(line, b": ")?;
    Some((line.get(..colon)?, line.get(colon + 2..)?))
}

/// A final status.
fn status(text: &[u8]) -> Option<u16> {
    str::from_utf8(text).ok()?.parse().ok().filter(|status| (200..600).contains(status))
}

fn check_line(name: &[u8], value: &[u8]) -> Result<(), Nonsense> {
    if !is_token(name) {
        return Err(format!("`{}` is not a header name", name.escape_ascii()));
    }
    if !is_value(value) {
        return Err(format!("the value of `{}` holds a control byte", name.escape_ascii()));
    }
    owned(name).map_or(Ok(()), |reason| Err(format!("`{}` {reason}", name.escape_ascii())))
}

/// A target as it will be matched and forwarded: its path normalised, its query as written.
pub(super) fn target(written: &[u8]) -> Result<(Vec<u8>, &[u8]), Nonsense> {
    let shown = || written.escape_ascii();
    let at = memchr::memchr(b'?', written).unwrap_or(written.len());
    let (path, query) = written.split_at_checked(at).unwrap_or((written, b""));
    let mut normal = Vec::new();
    normalise_path(path, &mut normal).map_err(|refusal| format!("`{}`: {}", shown(), refusal.reason))?;
    if !query.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#') {
        return Err(format!("`{}`: the query holds a byte that must be escaped", shown()));
    }
    Ok((normal, query))
}

/// The direct answer that a text begins with `!`, with its body.
pub(super) fn direct(text: &[u8], body: Option<Vec<u8>>) -> Result<Direct, Nonsense> {
    const PLAIN: &[u8] = b"content-type: text/plain; charset=utf-8\r\n";
    let mut rest = lines(text);
    let first = rest.next().and_then(|line| line.strip_prefix(b"!")).unwrap_or_default();
    let status = status(first).ok_or_else(|| format!("`{}` is not a status of 200 to 599", first.escape_ascii()))?;
    let body = body.unwrap_or_default();
    let (mut lines, mut typed) = (Vec::new(), body.is_empty());
    for line in rest {
        let (name, value) = parted(line).ok_or_else(|| format!("`{}` is no header line", line.escape_ascii()))?;
        check_line(name, value)?;
        typed |= name.eq_ignore_ascii_case(b"content-type");
        [name, b": ", value.trim_ascii(), b"\r\n"].iter().for_each(|part| lines.extend_from_slice(part));
    }
    if !typed {
        lines.extend_from_slice(PLAIN);
    }
    if matches!(status, 204 | 304) && !body.is_empty() {
        return Err(format!("an answer {status} has no body"));
    }
    Ok(Direct { status, lines: lines.into(), body: body.into() })
}

/// Changes the lines of a head; what else an edit asks for is the caller's.
pub(super) fn edit_lines(head: &mut impl Lines, edit: Edit<'_>) {
    match edit {
        Edit::Set(name, value) => {
            head.remove(name);
            head.append(name, value);
        }
        Edit::Append(name, value) => {
            head.append(name, value);
        }
        Edit::Remove(name) => head.remove(name),
        Edit::Target(_) | Edit::Route(_) | Edit::Cluster(_) | Edit::Status(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Edit<'_>>, Nonsense> {
        Edits::read(text.as_bytes(), |_| Ok(())).map(|edits| edits.iter().collect())
    }

    #[test]
    fn each_line_is_an_edit() {
        let text = "=x-a: 1\n+x-b: 2: 3\n-x-c\np/a?b\nr all\nc app\ns 418\n";
        let expected = [
            Edit::Set(b"x-a", b"1"),
            Edit::Append(b"x-b", b"2: 3"),
            Edit::Remove(b"x-c"),
            Edit::Target(b"/a?b"),
            Edit::Route(b"all"),
            Edit::Cluster(b"app"),
            Edit::Status(418),
        ];
        assert_eq!(read(text).unwrap(), expected);
        assert_eq!(read("").unwrap(), []);
    }

    #[test]
    fn what_a_message_cannot_carry_is_refused() {
        for (text, reason) in [
            ("=x y: 1", "not a header name"),
            ("=x: a\rb", "control byte"),
            ("=content-length: 1", "proxy's own"),
            ("-transfer-encoding", "proxy's own"),
            ("+host: b", "by a rewrite"),
            ("=x", "is no edit"),
            ("?", "is no edit"),
            ("s 101", "is no edit"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }

    #[test]
    fn a_direct_answer_has_a_type_when_it_has_a_body() {
        let answer = direct(b"!403\nx-a: b", Some(b"no".to_vec())).unwrap();
        assert_eq!((answer.status, &*answer.body), (403, &b"no"[..]));
        assert_eq!(&*answer.lines, b"x-a: b\r\ncontent-type: text/plain; charset=utf-8\r\n");
        assert_eq!(&*direct(b"!204", None).unwrap().lines, b"");
        for wrong in [&b"!99"[..], b"!600", b"!", b"!200\nx", b"!200\ncontent-length: 1"] {
            assert!(direct(wrong, None).is_err(), "{}", wrong.escape_ascii());
        }
        assert!(direct(b"!204", Some(b"x".to_vec())).is_err());
    }

    #[test]
    fn a_target_is_normalised_and_checked() {
        assert_eq!(target(b"/a/../b?x=%20").unwrap(), (b"/b".to_vec(), &b"?x=%20"[..]));
        for wrong in [&b"b"[..], b"", b"/a b", b"/..", b"/a?b c", b"/a#b"] {
            assert!(target(wrong).is_err(), "{}", wrong.escape_ascii());
        }
    }
}
