//! The system's errors in the form that scripts see: the bare reason, or its number.

use std::io;

/// The reason alone, without the "(os error N)" that Rust appends.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((reason, _)) => reason.to_owned(),
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

/// True where the system has run short of something that others may give back any moment.
pub fn is_shortage(error: &io::Error) -> bool {
    use libc::{EMFILE, ENFILE, ENOBUFS, ENOMEM};
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE | ENOBUFS | ENOMEM))
}

/// What scripts call the system's numbers: their names without the E.
pub const NAMES: [(&str, i32); 34] = [
    ("INTR", libc::EINTR),
    ("ACCES", libc::EACCES),
    ("BADF", libc::EBADF),
    ("FAULT", libc::EFAULT),
    ("INVAL", libc::EINVAL),
    ("MFILE", libc::EMFILE),
    ("NFILE", libc::ENFILE),
    ("NOMEM", libc::ENOMEM),
    ("NOBUFS", libc::ENOBUFS),
    ("NOTSOCK", libc::ENOTSOCK),
    ("OPNOTSUPP", libc::EOPNOTSUPP),
    ("AFNOSUPPORT", libc::EAFNOSUPPORT),
    ("PROTONOSUPPORT", libc::EPROTONOSUPPORT),
    ("ADDRINUSE", libc::EADDRINUSE),
    ("ADDRNOTAVAIL", libc::EADDRNOTAVAIL),
    ("NETDOWN", libc::ENETDOWN),
    ("NETUNREACH", libc::ENETUNREACH),
    ("NETRESET", libc::ENETRESET),
    ("HOSTUNREACH", libc::EHOSTUNREACH),
    ("CONNABORTED", libc::ECONNABORTED),
    ("CONNRESET", libc::ECONNRESET),
    ("CONNREFUSED", libc::ECONNREFUSED),
    ("TIMEDOUT", libc::ETIMEDOUT),
    ("ISCONN", libc::EISCONN),
    ("NOTCONN", libc::ENOTCONN),
    ("INPROGRESS", libc::EINPROGRESS),
    ("ALREADY", libc::EALREADY),
    ("AGAIN", libc::EAGAIN),
    ("WOULDBLOCK", libc::EWOULDBLOCK),
    ("PIPE", libc::EPIPE),
    ("DESTADDRREQ", libc::EDESTADDRREQ),
    ("MSGSIZE", libc::EMSGSIZE),
    ("PROTOTYPE", libc::EPROTOTYPE),
    ("NOPROTOOPT", libc::ENOPROTOOPT),
];

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

    #[test]
    fn a_shortage_is_told_from_a_verdict() {
        let short = |number| is_shortage(&io::Error::from_raw_os_error(number));
        assert!([libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM].into_iter().all(short));
        assert!(!short(libc::ENOENT) && !is_shortage(&io::Error::other("no such luck")));
    }
}
