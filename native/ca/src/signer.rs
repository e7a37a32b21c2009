//! An authority's certificate with its key, ready to sign.

use rcgen::{Issuer, KeyIdMethod, KeyPair, PublicKeyData};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;

use crate::leaf::{self, hexadecimal};
use crate::{Leaf, LeafTerms, Refused, Request};

/// Signs in the name of one authority.
pub struct Signer {
    issuer: Issuer<'static, KeyPair>,
    key_identifier: KeyIdMethod,
}

impl Signer {
    /// Of a certificate (PEM) and its key (PKCS #8, PEM). Refused when they do not belong together.
    pub fn open(certificate: &str, key: &str) -> Result<Self, Refused> {
        let key = KeyPair::from_pem(key)
            .map_err(|_| Refused::new("the key cannot be read: it must be PKCS #8 of P-256, P-384, Ed25519 or RSA"))?;
        let der = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|_| Refused::new("the certificate is no PEM text of a CERTIFICATE"))?;
        let (_, parsed) = X509Certificate::from_der(&der)
            .map_err(|error| Refused::new(format!("the certificate cannot be read: {error}")))?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(Refused::new("the key is not the one of the certificate"));
        }
        if !parsed.is_ca() {
            return Err(Refused::new("the certificate is not one of an authority (CA:TRUE)"));
        }
        let written = parsed.extensions().iter().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(identifier) => Some(KeyIdMethod::PreSpecified(identifier.0.to_vec())),
            _ => None,
        });
        let issuer = Issuer::from_ca_cert_der(&der, key)?;
        Ok(Self { issuer, key_identifier: written.unwrap_or(KeyIdMethod::Sha256) })
    }

    /// A certificate for the key of the request. Every name that it asks for must be among those that are granted.
    pub fn sign(&self, request: &Request, terms: &LeafTerms) -> Result<Leaf, Refused> {
        let granted = |name: &String| match name.split_once(':') {
            Some(("URI", uri)) => terms.uris.iter().any(|one| one == uri),
            Some(("DNS" | "IP", host)) => terms.hosts.iter().any(|one| one == host),
            _ => false,
        };
        if let Some(name) = request.names.iter().find(|name| !granted(name)) {
            let may = terms.uris.iter().chain(&terms.hosts).map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(Refused::new(format!("the request asks for {name}, and whoever asks is {may}")));
        }
        let certificate = leaf::params(terms)?.signed_by(&request.key, &self.issuer)?.pem();
        Ok(Leaf { certificate, key: None, public_key: hexadecimal(&request.key_der) })
    }

    /// A certificate with a new key of its own.
    pub fn issue(&self, terms: &LeafTerms) -> Result<Leaf, Refused> {
        let key = KeyPair::generate()?;
        let certificate = leaf::params(terms)?.signed_by(&key, &self.issuer)?.pem();
        let public_key = hexadecimal(&key.subject_public_key_info());
        Ok(Leaf { certificate, key: Some(key.serialize_pem()), public_key })
    }

    pub(crate) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    /// How lists of this issuer name its key.
    pub(crate) fn key_identifier(&self) -> KeyIdMethod {
        self.key_identifier.clone()
    }
}
