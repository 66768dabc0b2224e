//! Bytes that are TLS where none is expected: the first that either end sends of it.

/// The version that every first record claims, in its high byte; the low one is 1 to 3.
const VERSION: u8 = 3;

/// True when what begins a connection looks like a client's hello.
pub fn is_hello(bytes: &[u8]) -> bool {
    // A record of a handshake, and in it a hello.
    matches!(bytes, [0x16, VERSION, 1..=3, _, _, 0x01, ..])
}

/// True when all that has come looks like a server's refusal of what is no hello: an alert that ends the
/// connection.
pub fn is_refusal(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15, VERSION, 1..=3, 0, 2, 2, _])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_is_known_by_its_first_bytes_and_a_refusal_by_all_of_them() {
        assert!(is_hello(&[0x16, 3, 1, 0x02, 0x00, 0x01, 0x00]));
        assert!(!is_hello(&[0x16, 3, 1, 0x02, 0x00]));
        assert!(!is_hello(&[0x16, 3, 1, 0x02, 0x00, 0x02]));
        assert!(is_refusal(&[0x15, 3, 3, 0, 2, 2, 10]));
        assert!(!is_refusal(&[0x15, 3, 3, 0, 2, 2, 10, 0]));
        assert!(!is_refusal(&[0x15, 3, 3, 0, 2, 1, 0]));
    }
}
