use std::io;

use rustls::{AlertDescription, CertificateError, Error as TlsError, PeerIncompatible, pki_types::UnixTime};

use crate::transport::amqp::uri::Address;

/// What to tell people about a handshake that cannot succeed however often it is tried; `None` for everything else.
pub(in super::super) fn refusal(error: &io::Error, address: &Address) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<TlsError>()?;
    let tls = address.tls.as_ref()?;
    let text = match error {
        TlsError::InvalidCertificate(reason) => {
            format!("the broker's certificate is refused: {}", distrust(reason, tls.ca.is_some()))
        }
        TlsError::NoCertificatesPresented => "the broker shows no certificate, so nobody knows who it is".to_owned(),
        TlsError::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => no_certificate(),
            AlertDescription::HandshakeFailure if tls.cert.is_none() => {
                "the broker refuses the TLS handshake (HandshakeFailure): where it wants a certificate of the client, \
                 name one as `amqp_tls.cert`; otherwise its TLS has nothing in common with ours"
                    .to_owned()
            }
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError => match &tls.cert {
                Some(file) => format!(
                    "the broker refuses the client's certificate `{}` ({alert:?}): \
                     use one that is valid and whose CA the broker trusts (its `ssl_options.cacertfile`)",
                    file.display()
                ),
                None => no_certificate(),
            },
            AlertDescription::ProtocolVersion => VERSIONS.to_owned(),
            AlertDescription::UnrecognisedName => "the broker has no certificate for the name it is asked for: \
                 correct the host in the URL, or set `amqp_tls.server_name` to a name that it has"
                .to_owned(),
            alert => format!("the broker refuses the TLS handshake ({alert:?})"),
        },
        TlsError::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13 | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => VERSIONS.to_owned(),
        TlsError::PeerIncompatible(reason) => format!("the broker's TLS does not fit: {reason:?}"),
        TlsError::InvalidMessage(_) => format!(
            "port {} does not speak TLS: write the broker's TLS port (most often 5671), or `amqp://` without TLS",
            address.port
        ),
        _ => return None,
    };
    Some(format!("{address}: {text}"))
}

const VERSIONS: &str =
    "the broker offers no TLS version that is safe: let it speak 1.2 or 1.3 (its `ssl_options.versions`)";

fn no_certificate() -> String {
    "the broker wants a certificate of the client: name one that it trusts as `amqp_tls.cert`, with its `amqp_tls.key`"
        .to_owned()
}

/// What is wrong with a certificate, and what to do.
fn distrust(error: &CertificateError, own_ca: bool) -> String {
    match error {
        CertificateError::ExpiredContext { time, not_after } => {
            format!("it expired {} ago by this machine's clock; renew it", span(*not_after, *time))
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            format!("it is valid in {} only, by this machine's clock; is the clock right?", span(*time, *not_before))
        }
        CertificateError::NotValidForNameContext { expected, presented } if presented.is_empty() => format!(
            "it names no host at all as a subject alternative name, which is all that counts, so it is not valid for `{}`; \
             issue it with that name",
            expected.to_str()
        ),
        CertificateError::NotValidForNameContext { expected, presented } => format!(
            "it is not valid for `{}` but for {}; connect by one of these names, or set `amqp_tls.server_name` to one",
            expected.to_str(),
            presented.join(", ")
        ),
        CertificateError::UnknownIssuer if own_ca => {
            "it was not issued by a CA of the file `ca`, or the broker does not send the intermediate certificates; \
             name the CA that issued it, or let the broker send the whole chain"
                .to_owned()
        }
        CertificateError::UnknownIssuer => {
            "it was not issued by a CA that this system trusts; name the CA that issued it as `amqp_tls.ca`".to_owned()
        }
        CertificateError::BadSignature => {
            "its signature does not fit the key of its issuer, or the broker has not the key of the certificate; \
             it may be somebody else's"
                .to_owned()
        }
        CertificateError::InvalidPurposeContext { presented, .. } => {
            let presented: Vec<_> = presented.iter().map(ToString::to_string).collect();
            format!(
                "it is not meant for servers but for {}; issue it with the extended key usage serverAuth",
                presented.join(", ")
            )
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "it is signed in a way that is not safe any more, or not known; \
             issue it with ECDSA, Ed25519 or RSA of 2048 bits or more, and SHA-256 or better"
                .to_owned()
        }
        CertificateError::BadEncoding => "it cannot be read; issue it anew".to_owned(),
        // What rustls has no word for is webpki's error, whose text is its name.
        CertificateError::Other(other) => match other.to_string().as_str() {
            "CaUsedAsEndEntity" => {
                "it is the certificate of a CA, which may only issue others; issue one for the broker with it"
                    .to_owned()
            }
            "EndEntityUsedAsCa" => "one of its issuers is no CA; have it issued by a CA".to_owned(),
            "NameConstraintViolation" => {
                "its CA may not issue for this name (name constraints); have it issued by another one".to_owned()
            }
            name => format!("{name}; issue it anew"),
        },
        other => format!("{other}; issue it anew"),
    }
}

/// The time between two moments, in the largest unit that fits.
fn span(from: UnixTime, to: UnixTime) -> String {
    let seconds = to.as_secs().saturating_sub(from.as_secs());
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}
