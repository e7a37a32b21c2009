//! Durations as an HDR histogram, in the form that its readers in other languages take: V2, compressed, base64.

use super::latency::Bins;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

/// Longest duration, µs: 71 minutes, as a record has it.
const HIGHEST: u64 = u32::MAX as u64;
/// The bins are 3 % wide, so more digits would tell nothing.
const DIGITS: u8 = 2;

/// Encodes durations, µs. `None` when the histogram cannot be built, which its constants rule out.
pub fn hdr(bins: &Bins) -> Option<String> {
    let mut histogram = Histogram::<u64>::new_with_bounds(1, HIGHEST, DIGITS).ok()?;
    for (us, count) in bins.iter() {
        histogram.record_n(us.clamp(1, HIGHEST), count).ok()?;
    }
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(&histogram, &mut bytes).ok()?;
    Some(STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Latency;
    use hdrhistogram::serialization::Deserializer;

    #[test]
    fn an_encoded_histogram_has_the_percentiles_of_what_was_counted() {
        let latency = Latency::default();
        (1..=10_000).for_each(|us| latency.count(us));
        let mut bins = Bins::default();
        bins.add(&latency);
        let bytes = STANDARD.decode(hdr(&bins).unwrap()).unwrap();
        let read: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
        assert_eq!(read.len(), 10_000);
        for percentile in [1.0, 50.0, 90.0, 99.0, 100.0] {
            let (expected, value) = (percentile * 100.0, read.value_at_percentile(percentile) as f64);
            assert!((value - expected).abs() <= expected * 0.05, "p{percentile}: {value}");
        }
    }
}
