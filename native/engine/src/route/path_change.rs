//! Another path instead of the one asked for, in a rewrite or a redirect.

use super::rule::PathPattern;

/// Another path.
#[derive(Clone, Debug)]
pub enum PathChange {
    /// Instead of the whole path.
    Full(Box<[u8]>),
    /// Instead of the prefix that was matched; kept without a slash at the end.
    Prefix(Box<[u8]>),
}

impl PathChange {
    /// The new path as two parts to write one after the other. `None`: the path stays as it is.
    pub fn apply<'a>(&'a self, path: &'a [u8], matched: &PathPattern) -> Option<[&'a [u8]; 2]> {
        if path.first() != Some(&b'/') {
            return None; // `OPTIONS *` asks for no path
        }
        let parts = match self {
            Self::Full(full) => [&**full, b""],
            Self::Prefix(replacement) => {
                let PathPattern::Prefix(prefix) = matched else { return None };
                // A filter may have changed the path since it was matched; then there is nothing to replace.
                match (&**replacement, path.strip_prefix(&**prefix)?) {
                    (b"", b"") => [&b"/"[..], b""],
                    (replacement, rest) => [replacement, rest],
                }
            }
        };
        let [first, second] = parts;
        let unchanged = path.strip_prefix(first).is_some_and(|rest| rest == second);
        (!unchanged).then_some(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(prefix: &str, replacement: &str, path: &str) -> String {
        let change = PathChange::Prefix(replacement.trim_end_matches('/').as_bytes().into());
        let matched = PathPattern::Prefix(prefix.trim_end_matches('/').as_bytes().into());
        let parts = change.apply(path.as_bytes(), &matched);
        parts.map_or_else(|| path.to_owned(), |parts| String::from_utf8(parts.concat()).unwrap())
    }

    #[test]
    fn a_prefix_is_replaced_as_gateway_api_lists_it() {
        for (prefix, replacement, path, expected) in [
            ("/foo", "/xyz", "/foo/bar", "/xyz/bar"),
            ("/foo", "/xyz/", "/foo/bar", "/xyz/bar"),
            ("/foo/", "/xyz", "/foo/bar", "/xyz/bar"),
            ("/foo/", "/xyz/", "/foo/bar", "/xyz/bar"),
            ("/foo", "/xyz", "/foo", "/xyz"),
            ("/foo", "/xyz", "/foo/", "/xyz/"),
            ("/foo", "/", "/foo/bar", "/bar"),
            ("/foo", "/", "/foo/", "/"),
            ("/foo", "/", "/foo", "/"),
            ("/", "/xyz", "/bar", "/xyz/bar"),
            ("/", "/", "/bar", "/bar"),
        ] {
            assert_eq!(replaced(prefix, replacement, path), expected, "{prefix} by {replacement} in {path}");
        }
    }

    #[test]
    fn what_changes_nothing_is_no_change() {
        let change = PathChange::Full(Box::from(&b"/a"[..]));
        let matched = PathPattern::Prefix(Box::default());
        assert!(change.apply(b"/a", &matched).is_none() && change.apply(b"*", &matched).is_none());
        assert!(change.apply(b"/ab", &matched).is_some());
    }
}
