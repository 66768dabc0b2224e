//! Date and time as they begin a line, in the local time zone.

use std::mem::MaybeUninit;
use std::time::{SystemTime, UNIX_EPOCH};

/// `2026-01-31 12:00:00 `
pub(super) fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    at(seconds as libc::time_t)
}

fn at(seconds: libc::time_t) -> String {
    let mut parts = MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both places are valid for the call, which fills the second in or returns null.
    let known = unsafe { libc::localtime_r(&seconds, parts.as_mut_ptr()) };
    if known.is_null() {
        return String::from("0000-00-00 00:00:00 ");
    }
    // SAFETY: the call has succeeded.
    let tm = unsafe { parts.assume_init() };
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02} ",
        i64::from(tm.tm_year) + 1900,
        tm.tm_mon + 1,
        tm.tm_mday,
        tm.tm_hour,
        tm.tm_min,
        tm.tm_sec
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_after_the_epoch_is_near_it_in_any_time_zone() {
        let text = at(86_400);
        assert!(text.starts_with("1970-01-0") && text.len() == 20, "{text}");
        assert!(now().as_str() > "2024-01-01 00:00:00 ");
    }
}
