//! Ids for exchanges whose client brought none.

/// A random UUID (version 4, RFC 9562). It names an exchange; it is not a secret.
pub(crate) fn uuid() -> [u8; 36] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let random = fastrand::u128(..) & !(0xf000 << 64) & !(0b11 << 62) | (0x4000 << 64) | (0b10 << 62);
    let mut text = [b'-'; 36];
    let places = (0..36).filter(|place| !matches!(place, 8 | 13 | 18 | 23));
    for (nibble, place) in places.enumerate() {
        let digit = (random >> (124 - 4 * nibble)) as usize & 0xf;
        if let (Some(slot), Some(character)) = (text.get_mut(place), DIGITS.get(digit)) {
            *slot = *character;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_id_is_a_random_uuid() {
        let text = String::from_utf8(uuid().to_vec()).unwrap();
        assert_eq!(text.len(), 36);
        assert_eq!(&text[14..15], "4");
        assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"), "{text}");
        assert_ne!(uuid(), uuid());
    }
}
