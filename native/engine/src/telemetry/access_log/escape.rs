//! Escaping of what clients and upstreams sent, so that no value can end its line, its quotes or its terminal's colour.

use std::io::Write;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Printable ASCII without `"` and `\`: means itself in text and in JSON.
fn is_plain(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\'
}

/// Appends printable ASCII as it is and every other byte, `"` and `\` as `\xHH`.
pub(super) fn text(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(place) = rest.iter().position(|byte| !is_plain(*byte)) {
        let (plain, special) = rest.split_at(place);
        out.extend_from_slice(plain);
        let Some((byte, behind)) = special.split_first() else { return };
        let digit = |value: u8| HEX.get(usize::from(value & 15)).copied().unwrap_or(b'0');
        out.extend_from_slice(&[b'\\', b'x', digit(byte >> 4), digit(*byte)]);
        rest = behind;
    }
    out.extend_from_slice(rest);
}

/// Appends a JSON string. Bytes that are not UTF-8 become U+FFFD; controls of both ranges and the line separators
/// that some readers split at are escaped although JSON would allow them.
pub(super) fn json(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    if bytes.iter().all(|byte| is_plain(*byte)) {
        out.extend_from_slice(bytes);
        out.push(b'"');
        return;
    }
    for chunk in bytes.utf8_chunks() {
        json_text(chunk.valid(), out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}

fn json_text(text: &str, out: &mut Vec<u8>) {
    let is_special = |symbol: char| symbol.is_control() || matches!(symbol, '"' | '\\' | '\u{2028}' | '\u{2029}');
    let mut rest = text;
    while let Some((plain, special)) = rest.find(is_special).and_then(|place| rest.split_at_checked(place)) {
        out.extend_from_slice(plain.as_bytes());
        let mut symbols = special.chars();
        let Some(symbol) = symbols.next() else { return };
        rest = symbols.as_str();
        if matches!(symbol, '"' | '\\') {
            out.extend_from_slice(&[b'\\', symbol as u8]);
        } else {
            // Writing to a Vec cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(symbol));
        }
    }
    out.extend_from_slice(rest.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(escape: fn(&[u8], &mut Vec<u8>), bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        escape(bytes, &mut out);
        out
    }

    #[test]
    fn text_keeps_what_is_printable_and_names_the_rest_in_hexadecimal() {
        assert_eq!(escaped(text, b"/a b?c=%20~"), b"/a b?c=%20~");
        assert_eq!(escaped(text, b"a\"b\\c\r\n\x1b[31m\x7f\xff"), br"a\x22b\x5cc\x0d\x0a\x1b[31m\x7f\xff");
    }

    #[test]
    fn json_keeps_unicode_and_escapes_what_breaks_lines() {
        assert_eq!(
            escaped(json, "é\"\\\n\u{85}\u{2028}\u{7f}".as_bytes()),
            "\"é\\\"\\\\\\u000a\\u0085\\u2028\\u007f\"".as_bytes()
        );
        assert_eq!(escaped(json, b"a\xffb"), "\"a\u{fffd}b\"".as_bytes());
    }

    proptest! {
        #[test]
        fn text_is_printable_ascii_and_can_be_read_back(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let out = escaped(text, &bytes);
            prop_assert!(out.iter().all(|byte| (0x20..0x7f).contains(byte) && *byte != b'"'));
            let mut back = Vec::new();
            let mut rest = &out[..];
            while let Some(first) = rest.first() {
                if *first == b'\\' {
                    back.push(u8::from_str_radix(std::str::from_utf8(&rest[2..4]).unwrap(), 16).unwrap());
                    rest = &rest[4..];
                } else {
                    back.push(*first);
                    rest = &rest[1..];
                }
            }
            prop_assert_eq!(back, bytes);
        }

        #[test]
        fn json_is_one_string_that_means_the_same(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let out = String::from_utf8(escaped(json, &bytes)).unwrap();
            let breaks_lines = |symbol: char| symbol.is_control() || matches!(symbol, '\u{2028}' | '\u{2029}');
            prop_assert!(!out.chars().any(breaks_lines));
            let back: String = serde_json::from_str(&out).unwrap();
            prop_assert_eq!(back, String::from_utf8_lossy(&bytes));
        }
    }
}
