//! What went wrong between two ends, in words for whoever runs them. "It" is the other end.

use std::io;

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

use crate::net::errno::reason;

use super::Flaw;

/// Why a handshake has failed.
pub(super) fn failure(error: &io::Error) -> String {
    match flaw(error) {
        Some(Flaw { text, .. }) => text,
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "it has ended the connection in the handshake: it has no tls set, or is full, or closing"
                .to_owned()
        }
        None => reason(error),
    }
}

/// What is wrong with bytes that have come, where TLS is what finds fault with them.
pub fn flaw(error: &io::Error) -> Option<Flaw> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    let text = match error {
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge
            | InvalidMessage::InvalidEmptyPayload,
        )
        | Error::InappropriateMessage { .. } => {
            format!("it does not speak TLS ({error}); the option tls must be set on both")
        }
        Error::NoCertificatesPresented => "it has shown no certificate".to_owned(),
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate is not signed by tls.ca".to_owned()
        }
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            "its certificate is not signed by tls.ca, but by another CA of the same name".to_owned()
        }
        Error::InvalidCertificate(why) => format!("its certificate: {why}"),
        Error::AlertReceived(why) => match refusal(*why) {
            Some(text) => return Some(Flaw { text, refused: true }),
            None => error.to_string(),
        },
        other => other.to_string(),
    };
    Some(Flaw { text, refused: false })
}

/// The alerts of one that does not let this end in because of its certificate.
fn refusal(alert: AlertDescription) -> Option<String> {
    match alert {
        AlertDescription::CertificateRequired => {
            Some("it wants a certificate, and this end has shown none".to_owned())
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError => {
            Some(format!("it refuses this end's certificate: {alert:?}; its log may say more"))
        }
        _ => None,
    }
}
