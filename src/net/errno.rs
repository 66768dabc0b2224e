//! The system's errors in the form that scripts see: the bare reason, or its number.

use std::io;

/// The reason alone, without the "(os error N)" that Rust appends.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// The reason that belongs to a number of the system's.
pub fn text(number: i32) -> String {
    reason(&io::Error::from_raw_os_error(number))
}

/// The system's number of the error; the generic EIO where the error has none.
pub fn number(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_carries_no_number() {
        let refused = io::Error::from_raw_os_error(libc::ECONNREFUSED);
        assert_eq!(reason(&refused), "Connection refused");
        assert_eq!(number(&refused), libc::ECONNREFUSED);
        assert_eq!(text(libc::ECONNREFUSED), reason(&refused));
        let own = io::Error::other("no such luck");
        assert_eq!(reason(&own), "no such luck");
        assert_eq!(number(&own), libc::EIO);
    }
}
