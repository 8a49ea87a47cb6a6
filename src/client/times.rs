//! Times as a person writes them.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A stretch of time: seconds, or like 90s, 10m, 1h30m; a whole number of seconds, at least one.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let with_units =
        || text.parse::<SignedDuration>().ok().filter(|time| time.subsec_nanos() == 0)?.as_secs().try_into().ok();
    let seconds = text.parse().ok().or_else(with_units);
    let seconds = seconds.filter(|seconds| (1..=u64::from(u32::MAX)).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| "it is written like 90, 90s, 10m or 1h30m".to_owned())
}

/// A moment, as List has it: of UTC unless it says another zone.
pub(super) fn moment(text: &str) -> Result<String, String> {
    let of_utc = || text.parse::<DateTime>().and_then(|time| time.to_zoned(TimeZone::UTC)).map(|time| time.timestamp());
    let time = text.parse::<Timestamp>().or_else(|_| of_utc());
    let time = time.map_err(|_| "it is written like 2026-03-01, '2026-03-01 08:00:00' or 2026-03-01T08:00:00+08:00")?;
    Ok(time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1h 30m", 5400)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0", "-1", "-1m", "0.5", "500ms", "soon", "1e9", "99999999999"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for (text, utc) in [
            ("2026-03-01", "2026-03-01 00:00:00"),
            ("2026-03-01 08:00:00", "2026-03-01 08:00:00"),
            ("2026-03-01T08:00", "2026-03-01 08:00:00"),
            ("2026-03-01T08:00:00Z", "2026-03-01 08:00:00"),
            ("2026-03-01T08:00:00+08:00", "2026-03-01 00:00:00"),
        ] {
            assert_eq!(moment(text).as_deref(), Ok(utc), "{text}");
        }
        for text in ["", "yesterday", "2026-02-30", "08:00"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }
}
