//! Ids as hexadecimal text, without an allocation.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Value of each digit; 0xff for what is none.
#[expect(clippy::indexing_slicing, reason = "computed when it is compiled")]
const VALUES: [u8; 256] = {
    let mut values = [0xff; 256];
    let mut value = 0;
    while value < 16 {
        // Both cases; digits have no other.
        values[DIGITS[value] as usize] = value as u8;
        values[DIGITS[value].to_ascii_uppercase() as usize] = value as u8;
        value += 1;
    }
    values
};

/// The bytes of exactly so many pairs of digits; `None` for anything else.
pub(super) fn read<const BYTES: usize>(text: &[u8]) -> Option<[u8; BYTES]> {
    if text.len() != BYTES * 2 {
        return None;
    }
    let mut id = [0; BYTES];
    let mut wrong = 0;
    for (byte, pair) in id.iter_mut().zip(text.chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        let (high, low) = (value(high), value(low));
        wrong |= high | low;
        *byte = high << 4 | low & 0xf;
    }
    (wrong <= 0xf).then_some(id)
}

#[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
fn value(digit: u8) -> u8 {
    VALUES[usize::from(digit)]
}

/// A header value on the stack; the longest one is B3's single line with 68 bytes.
pub(super) struct Text {
    bytes: [u8; 72],
    length: usize,
}

impl Text {
    pub(super) fn new() -> Self {
        Self { bytes: [0; 72], length: 0 }
    }

    pub(super) fn text(&mut self, text: &[u8]) {
        let place = self.length..self.length + text.len();
        if let Some(place) = self.bytes.get_mut(place) {
            place.copy_from_slice(text);
            self.length += text.len();
        }
    }

    /// Lower-case digits.
    pub(super) fn hex(&mut self, bytes: &[u8]) {
        let place = self.length..self.length + bytes.len() * 2;
        let Some(place) = self.bytes.get_mut(place) else { return };
        for (pair, byte) in place.chunks_exact_mut(2).zip(bytes) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
        }
        self.length += bytes.len() * 2;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[expect(clippy::indexing_slicing, reason = "half a byte is below 16")]
fn digit(value: u8) -> u8 {
    DIGITS[usize::from(value & 0xf)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written_and_nothing_else_is() {
        let id = [0x00, 0x1f, 0xa0, 0xff];
        let mut text = Text::new();
        text.hex(&id);
        assert_eq!(text.bytes(), b"001fa0ff");
        assert_eq!(read(b"001Fa0fF"), Some(id));
        for wrong in ["", "001fa0f", "001fa0ff0", "001fa0fg", "001fa0f\u{e9}", "001fa0f-", "+01fa0ff"] {
            assert_eq!(read::<4>(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn what_has_no_room_is_not_written_in_part() {
        let mut text = Text::new();
        text.hex(&[1; 36]);
        text.text(b"x");
        text.hex(&[1]);
        assert_eq!(text.bytes().len(), 72);
    }
}
