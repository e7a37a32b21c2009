//! Numbers: comparing across types, and reading them from what is none yet.

use std::cmp::Ordering;

use super::value::Fault;

/// 2^63, the first double that is too large for an `int`.
const INT_END: f64 = 9_223_372_036_854_775_808.0;

/// The order of both on one line of numbers; exact where either has more digits than the other.
pub(super) fn compare_mixed(int: i64, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    if double >= INT_END {
        return Some(Ordering::Less);
    }
    if double < -INT_END {
        return Some(Ordering::Greater);
    }
    let whole = double.trunc();
    // Of two with the same whole part the fraction decides.
    Some(int.cmp(&(whole as i64)).then_with(|| {
        if double > whole {
            Ordering::Less
        } else if double < whole {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }))
}

/// `int(double)`: towards zero.
pub(super) fn truncated(double: f64) -> Result<i64, Fault> {
    if double.is_nan() || double >= INT_END || double <= -INT_END {
        return Err(Fault::Overflow);
    }
    Ok(double.trunc() as i64)
}

/// `int(string)`: decimal digits with a sign.
pub(super) fn parsed_int(text: &[u8]) -> Result<i64, Fault> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Fault::NotANumber)
}

/// `double(string)`.
pub(super) fn parsed_double(text: &[u8]) -> Result<f64, Fault> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Fault::NotANumber)
}
