//! Tests of one value: a header line's, a query parameter's.

use std::borrow::Cow;

use regex::bytes::{Regex, RegexBuilder};

/// A compiled regex may not take more; what needs more is refused when it is compiled.
const REGEX_BYTES: usize = 256 * 1024;

/// A regular expression over the whole of a text. It takes time linear in the text.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Box<str>,
    regex: Regex,
}

impl Pattern {
    /// Compiles; the error is one sentence.
    pub fn compile(text: &str) -> Result<Self, String> {
        // By itself first: `a)|(b` must not become valid inside the anchors.
        build(text)?;
        let regex = build(&["\\A(?:", text, ")\\z"].concat())?;
        Ok(Self { text: text.into(), regex })
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the whole of it matches.
    pub fn matches(&self, value: &[u8]) -> bool {
        self.regex.is_match(value)
    }
}

/// Bytes and not characters, so that classes are ASCII and no Unicode tables are carried.
fn build(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text).unicode(false).size_limit(REGEX_BYTES).dfa_size_limit(REGEX_BYTES).build().map_err(
        |error| match error {
            regex::Error::CompiledTooBig(limit) => {
                ["needs more than ", itoa::Buffer::new().format(limit), " bytes when compiled"].concat()
            }
            // The library draws the place below the pattern; its last line says what is wrong.
            other => other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
        },
    )
}

/// Whether two patterns are the same text.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// A test of one value.
#[derive(Clone, Debug)]
pub enum Test {
    /// The whole value.
    Exact(Box<[u8]>),
    /// Its beginning.
    Prefix(Box<[u8]>),
    /// Its end.
    Suffix(Box<[u8]>),
    /// The whole value.
    Regex(Pattern),
    /// Any value.
    Present,
    /// No value.
    Absent,
}

impl Test {
    /// Whether a value, or its absence, passes.
    pub fn passes(&self, value: Option<&[u8]>) -> bool {
        match (self, value) {
            (Self::Absent, value) => value.is_none(),
            (_, None) => false,
            (Self::Present, Some(_)) => true,
            (Self::Exact(wanted), Some(value)) => **wanted == *value,
            (Self::Prefix(wanted), Some(value)) => value.starts_with(wanted),
            (Self::Suffix(wanted), Some(value)) => value.ends_with(wanted),
            (Self::Regex(pattern), Some(value)) => pattern.matches(value),
        }
    }
}

/// The first value of a query's parameter, its escapes decoded; a parameter without `=` has an empty value.
pub(super) fn parameter<'a>(query: &'a [u8], name: &[u8]) -> Option<Cow<'a, [u8]>> {
    query.split(|byte| *byte == b'&').find_map(|pair| {
        let length = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        let (key, value) = pair.split_at_checked(length)?;
        (*decoded(key) == *name && !pair.is_empty()).then(|| decoded(value.get(1..).unwrap_or_default()))
    })
}

/// The value of a cookie among `name=value; name=value` (RFC 6265 4.2.1), as written.
pub(super) fn cookie<'a>(header: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    header.split(|byte| *byte == b';').find_map(|pair| {
        let pair = pair.trim_ascii();
        let length = memchr::memchr(b'=', pair)?;
        let (key, value) = pair.split_at_checked(length)?;
        (key == name).then(|| value.get(1..).unwrap_or_default())
    })
}

/// With `%xx` decoded; a broken escape stays as written.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        let escape = (byte == b'%').then(|| tail.get(..2)).flatten().and_then(hex);
        out.push(escape.unwrap_or(byte));
        rest = if escape.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    Cow::Owned(out)
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| digits.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regex_matches_the_whole_value_and_cannot_break_out_of_its_anchors() {
        let pattern = Pattern::compile("a|b+").unwrap();
        assert!(pattern.matches(b"a") && pattern.matches(b"bb"));
        assert!(!pattern.matches(b"ab") && !pattern.matches(b"a\n") && !pattern.matches(b""));
        assert!(Pattern::compile("a)|(b").is_err());
    }

    #[test]
    fn a_regex_that_explodes_or_looks_around_is_refused_with_its_reason() {
        assert_eq!(Pattern::compile("(a{1000}){1000}").unwrap_err(), "needs more than 262144 bytes when compiled");
        assert_eq!(
            Pattern::compile("(?!a)").unwrap_err(),
            "look-around, including look-ahead and look-behind, is not supported"
        );
        assert_eq!(Pattern::compile("a(").unwrap_err(), "unclosed group");
    }

    #[test]
    fn a_regex_of_nested_repeats_takes_linear_time() {
        let pattern = Pattern::compile("(a+)+b").unwrap();
        assert!(!pattern.matches(&[b'a'; 65_536]));
    }

    #[test]
    fn a_parameter_is_the_first_of_its_name_with_its_escapes_decoded() {
        let query = b"a=1&b&a=2&c=x%20y%2&%64=4&=5&&e=a=b";
        let value =
            |name: &str| parameter(query, name.as_bytes()).map(|value| String::from_utf8_lossy(&value).into_owned());
        assert_eq!(value("a").as_deref(), Some("1"));
        assert_eq!(value("b").as_deref(), Some(""));
        assert_eq!(value("c").as_deref(), Some("x y%2"));
        assert_eq!(value("d").as_deref(), Some("4"));
        assert_eq!(value("e").as_deref(), Some("a=b"));
        assert_eq!(value("f"), None);
        assert_eq!(parameter(b"", b""), None);
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        assert_eq!(cookie(b"a=1; session=x=y;b=2", b"session"), Some(&b"x=y"[..]));
        assert_eq!(cookie(b"a=1; session", b"session"), None);
        assert_eq!(cookie(b"xsession=1", b"session"), None);
    }

    #[test]
    fn tests_tell_an_empty_value_from_none() {
        assert!(Test::Present.passes(Some(b"")) && !Test::Present.passes(None));
        assert!(Test::Absent.passes(None) && !Test::Absent.passes(Some(b"")));
        assert!(Test::Exact(Box::from(&b""[..])).passes(Some(b"")) && !Test::Exact(Box::from(&b""[..])).passes(None));
    }
}
