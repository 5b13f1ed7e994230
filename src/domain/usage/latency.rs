//! Latency histograms with fixed buckets, so that those of several servers and days can be added.

use std::time::Duration;

/// Upper bounds of the buckets in microseconds, inclusive. The last bucket has none.
const BOUNDS: [u64; LatencyHistogram::BUCKETS - 1] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000,
];

/// Number of requests by latency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencyHistogram([i64; Self::BUCKETS]);

impl LatencyHistogram {
    /// Number of buckets.
    pub const BUCKETS: usize = 16;

    /// Creates a histogram from its stored counts.
    #[must_use]
    pub const fn from_counts(counts: [i64; Self::BUCKETS]) -> Self {
        Self(counts)
    }

    /// Returns the number of requests in each bucket.
    #[must_use]
    pub const fn counts(&self) -> &[i64; Self::BUCKETS] {
        &self.0
    }

    /// Adds one request.
    pub fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0[BOUNDS.partition_point(|bound| *bound < micros)] += 1;
    }

    /// Adds the requests of another histogram.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_add(more);
        }
    }

    /// Returns the latency that this percentage of the requests did not exceed, interpolated within its bucket. At most 10 s,
    /// the lower bound of the last bucket; 0 without requests.
    #[must_use]
    pub fn percentile(&self, percent: u32) -> Duration {
        let total: i64 = self.0.iter().sum();
        let rank = (total as f64) * f64::from(percent) / 100.0;
        let mut before = 0.0;
        for (index, count) in self.0.iter().enumerate().filter(|(_, count)| **count > 0) {
            let count = *count as f64;
            if before + count >= rank {
                let lower = if index == 0 { 0 } else { BOUNDS[index - 1] };
                let upper = BOUNDS.get(index).copied().unwrap_or(lower);
                let within = Duration::from_micros(upper - lower).mul_f64(((rank - before) / count).clamp(0.0, 1.0));
                return Duration::from_micros(lower) + within;
            }
            before += count;
        }
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(micros: &[u64]) -> LatencyHistogram {
        let mut histogram = LatencyHistogram::default();
        for latency in micros {
            histogram.record(Duration::from_micros(*latency));
        }
        histogram
    }

    #[test]
    fn latency_is_counted_in_the_bucket_of_its_bound() {
        let counts = *histogram(&[0, 250, 251, 10_000_000, 10_000_001, u64::MAX]).counts();
        assert_eq!((counts[0], counts[1], counts[14], counts[15]), (2, 1, 1, 2));
        assert_eq!(counts.iter().sum::<i64>(), 6);
    }

    #[test]
    fn percentiles_are_interpolated() {
        // 90 requests of up to 0.25 ms, 10 of 1 to 2.5 ms.
        let mixed = histogram(&[[100; 90].as_slice(), &[2_000; 10]].concat());
        assert_eq!(mixed.percentile(45), Duration::from_micros(125));
        assert_eq!(mixed.percentile(90), Duration::from_micros(250));
        assert_eq!(mixed.percentile(95), Duration::from_micros(1_750));
        assert_eq!(mixed.percentile(100), Duration::from_micros(2_500));
        assert_eq!(LatencyHistogram::default().percentile(50), Duration::ZERO);
        assert_eq!(histogram(&[u64::MAX]).percentile(99), Duration::from_secs(10));
    }

    #[test]
    fn sum_of_histograms_is_the_histogram_of_all_requests() {
        let (first, second) = (histogram(&[1, 300, 700]), histogram(&[2, 99_000_000]));
        let mut sum = first;
        sum.add(&second);
        assert_eq!(sum, histogram(&[1, 300, 700, 2, 99_000_000]));
    }
}
