//! START_TIME: wall clock in UTC, by default ISO 8601 with milliseconds, else by a subset of strftime.

use std::io::Write;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Field {
    Literal(char),
    Year,
    Month,
    MonthName,
    Day,
    Hour,
    Minute,
    Second,
    UnixSecond,
    /// This many digits of the second's fraction, at most 9.
    Fraction(u32),
}

/// A compiled time format; without fields it is ISO 8601.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimeFormat(Vec<Field>);

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl TimeFormat {
    /// Compiles a strftime subset: `%Y %m %b %d %H %M %S %s %f %3f %6f %9f %F %T %z %Z %%`.
    pub(super) fn compile(source: &str) -> Result<Self, String> {
        let mut fields = Vec::new();
        let mut symbols = source.chars();
        while let Some(symbol) = symbols.next() {
            if symbol != '%' {
                fields.push(Field::Literal(symbol));
                continue;
            }
            let mut letter = symbols.next().unwrap_or('%');
            let digits = letter.to_digit(10);
            if digits.is_some() {
                letter = symbols.next().unwrap_or('%');
            }
            match (letter, digits) {
                ('f', digits) => fields.push(Field::Fraction(digits.unwrap_or(9))),
                ('Y', None) => fields.push(Field::Year),
                ('m', None) => fields.push(Field::Month),
                ('b', None) => fields.push(Field::MonthName),
                ('d', None) => fields.push(Field::Day),
                ('H', None) => fields.push(Field::Hour),
                ('M', None) => fields.push(Field::Minute),
                ('S', None) => fields.push(Field::Second),
                ('s', None) => fields.push(Field::UnixSecond),
                ('F', None) => fields.extend(Self::compile("%Y-%m-%d")?.0),
                ('T', None) => fields.extend(Self::compile("%H:%M:%S")?.0),
                ('z', None) => fields.extend("+0000".chars().map(Field::Literal)),
                ('Z', None) => fields.extend("UTC".chars().map(Field::Literal)),
                ('%', None) => fields.push(Field::Literal('%')),
                (other, _) => return Err(format!("%{other} is not a time field this log knows")),
            }
        }
        Ok(Self(fields))
    }

    /// Appends a time given in µs since 1970.
    pub(super) fn write(&self, unix_us: u64, out: &mut Vec<u8>) {
        let time = Civil::of(unix_us);
        if self.0.is_empty() {
            return time.write_iso(out);
        }
        for field in &self.0 {
            // Writing to a Vec cannot fail.
            let _ = match field {
                Field::Literal(symbol) => write!(out, "{symbol}"),
                Field::Year => write!(out, "{:04}", time.year),
                Field::Month => write!(out, "{:02}", time.month),
                Field::MonthName => {
                    write!(out, "{}", MONTHS.get(time.month as usize - 1).copied().unwrap_or_default())
                }
                Field::Day => write!(out, "{:02}", time.day),
                Field::Hour => write!(out, "{:02}", time.second_of_day / 3600),
                Field::Minute => write!(out, "{:02}", time.second_of_day / 60 % 60),
                Field::Second => write!(out, "{:02}", time.second_of_day % 60),
                Field::UnixSecond => write!(out, "{}", unix_us / 1_000_000),
                Field::Fraction(digits) => {
                    let width = *digits as usize;
                    write!(out, "{:0width$}", u64::from(time.us) * 1000 / 10_u64.pow(9 - digits.min(&9)))
                }
            };
        }
    }
}

struct Civil {
    year: u64,
    month: u64,
    day: u64,
    second_of_day: u32,
    us: u32,
}

impl Civil {
    /// Days to year, month and day after Howard Hinnant, "chrono-compatible low-level date algorithms", 2013.
    fn of(unix_us: u64) -> Self {
        let seconds = unix_us / 1_000_000;
        let days = seconds / 86_400 + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        Self {
            year: year_of_era + era * 400 + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            second_of_day: (seconds % 86_400) as u32,
            us: (unix_us % 1_000_000) as u32,
        }
    }

    fn write_iso(&self, out: &mut Vec<u8>) {
        let mut decimal = |value: u32, width: u32, behind: u8| {
            for place in (0..width).rev() {
                out.push(b'0' + (value / 10_u32.pow(place) % 10) as u8);
            }
            out.push(behind);
        };
        decimal(self.year as u32, 4, b'-');
        decimal(self.month as u32, 2, b'-');
        decimal(self.day as u32, 2, b'T');
        decimal(self.second_of_day / 3600, 2, b':');
        decimal(self.second_of_day / 60 % 60, 2, b':');
        decimal(self.second_of_day % 60, 2, b'.');
        decimal(self.us / 1000, 3, b'Z');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: &str, unix_us: u64) -> String {
        let mut out = Vec::new();
        TimeFormat::compile(format).unwrap().write(unix_us, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_default_is_iso_8601_with_milliseconds() {
        for (unix_us, iso) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000_000, "2000-03-01T00:00:00.000Z"),
            (1_460_751_420_310_000, "2016-04-15T20:17:00.310Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(written("", unix_us), iso);
        }
    }

    #[test]
    fn each_field_is_written_at_its_width() {
        assert_eq!(written("%d/%b/%Y:%H:%M:%S %z", 1_460_751_420_310_000), "15/Apr/2016:20:17:00 +0000");
        assert_eq!(
            written("%F %T.%3f %6f %f %1f", 1_460_751_420_310_042),
            "2016-04-15 20:17:00.310 310042 310042000 3"
        );
        assert_eq!(written("%s %Z %%", 1_460_751_420_310_042), "1460751420 UTC %");
    }
}
