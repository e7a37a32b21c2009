//! Certificate signing requests (PKCS #10, RFC 2986), as they come from a network.
//!
//! Invariant: a request that was read is signed by the key that it is about; whoever sent it may still be somebody who
//! overheard it.

use rcgen::{CertificateParams, DistinguishedName, KeyPair, SubjectPublicKeyInfo};
use rustls_pki_types::CertificateSigningRequestDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use crate::Refused;

/// Of DER, universal and constructed (X.690 8.9.1).
const SEQUENCE: u8 = 0x30;

/// Requests of the usual keys have one to two kilobytes.
const MAX_BYTES: usize = 16 * 1024;
/// What NIST SP 800-57 still allows.
const MIN_RSA_BITS: usize = 2048;

/// What counts of a request.
#[derive(Debug)]
pub struct Request {
    pub(crate) key: SubjectPublicKeyInfo,
    /// DER of the key's `SubjectPublicKeyInfo`.
    pub(crate) key_der: Vec<u8>,
    /// Names that it asks for: `URI:spiffe://…`, `DNS:…`.
    pub(crate) names: Vec<String>,
}

/// A request with a new key, for whoever asks an authority.
#[derive(Debug, Serialize)]
pub struct Made {
    /// PEM.
    pub request: String,
    /// PKCS #8, PEM.
    pub key: String,
}

impl Request {
    /// With a new key and no name in it: whoever signs knows who asks.
    pub fn make() -> Result<Made, Refused> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        Ok(Made { request: params.serialize_request(&key)?.pem()?, key: key.serialize_pem() })
    }

    /// Reads a PEM text and checks its signature.
    pub fn read(pem: &str) -> Result<Self, Refused> {
        if pem.len() > MAX_BYTES {
            return Err(Refused::new(format!("the request has more than {MAX_BYTES} bytes")));
        }
        let der = CertificateSigningRequestDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| Refused::new("the request is no PEM text of a CERTIFICATE REQUEST"))?;
        // The parser takes this tag in any class, and no signature covers it.
        if der.first() != Some(&SEQUENCE) {
            return Err(Refused::new("the request is no PKCS #10: it does not begin with a SEQUENCE"));
        }
        let (rest, request) = X509CertificationRequest::from_der(&der)
            .map_err(|error| Refused::new(format!("the request is no PKCS #10: {error}")))?;
        if !rest.is_empty() {
            return Err(Refused::new("the request goes on after its end"));
        }
        let info = &request.certification_request_info;
        check_key(info.subject_pki.parsed().ok())?;
        request
            .verify_signature()
            .map_err(|_| Refused::new("the request is not signed by the key that it is about"))?;
        let key_der = info.subject_pki.raw.to_vec();
        let key = SubjectPublicKeyInfo::from_der(&key_der).map_err(|_| {
            Refused::new("the request has a kind of key that is not taken: use P-256, P-384, Ed25519 or RSA")
        })?;
        let names = asked_names(&request)?;
        Ok(Self { key, key_der, names })
    }
}

fn check_key(key: Option<PublicKey<'_>>) -> Result<(), Refused> {
    match key {
        Some(PublicKey::RSA(rsa)) if rsa.key_size() < MIN_RSA_BITS => {
            Err(Refused::new(format!("an RSA key needs {MIN_RSA_BITS} bits and has {}", rsa.key_size())))
        }
        _ => Ok(()),
    }
}

fn asked_names(request: &X509CertificationRequest<'_>) -> Result<Vec<String>, Refused> {
    let mut names = Vec::new();
    for extension in request.requested_extensions().into_iter().flatten() {
        match extension {
            ParsedExtension::SubjectAlternativeName(asked) => names.extend(asked.general_names.iter().map(written)),
            ParsedExtension::BasicConstraints(constraints) if constraints.ca => {
                return Err(Refused::new(
                    "the request asks for an authority, and this issues certificates of workloads",
                ));
            }
            _ => {}
        }
    }
    Ok(names)
}

fn written(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::URI(uri) => format!("URI:{uri}"),
        GeneralName::DNSName(host) => format!("DNS:{host}"),
        GeneralName::RFC822Name(address) => format!("email:{address}"),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(address) => format!("IP:{}", std::net::Ipv4Addr::from(address)),
            Err(_) => match <[u8; 16]>::try_from(*bytes) {
                Ok(address) => format!("IP:{}", std::net::Ipv6Addr::from(address)),
                Err(_) => "an IP address that is none".to_owned(),
            },
        },
        _ => "a name of an unusual kind".to_owned(),
    }
}
