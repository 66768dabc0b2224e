//! What went wrong between two ends, in words for whoever runs them. "It" is the other end.

use std::io;

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error};

use crate::net::errno::reason;

/// Why a handshake has failed.
pub(super) fn failure(error: &io::Error) -> String {
    match flaw(error) {
        Some(text) => text,
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "it has ended the connection in the handshake; the option tls must be set on both"
                .to_owned()
        }
        None => reason(error),
    }
}

/// What is wrong with bytes that have come, where TLS is what finds fault with them.
pub fn flaw(error: &io::Error) -> Option<String> {
    let flaw = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match flaw {
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => {
            format!("it does not speak TLS ({flaw}); the option tls must be set on both")
        }
        Error::NoCertificatesPresented => "it has shown no certificate".to_owned(),
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate is not signed by tls.ca".to_owned()
        }
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            "its certificate is not signed by tls.ca, but by another CA of the same name".to_owned()
        }
        Error::InvalidCertificate(why) => format!("its certificate: {why}"),
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "it wants a certificate, and this end has shown none".to_owned()
        }
        Error::AlertReceived(
            why @ (AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError),
        ) => format!("it refuses this end's certificate: {why:?}; its log may say more"),
        other => other.to_string(),
    })
}
