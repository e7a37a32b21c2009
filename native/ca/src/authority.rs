//! Certificates that sign others: a root that trusts itself, and an intermediate under it that may sign workloads alone.

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose};
use serde::{Deserialize, Serialize};

use crate::{Refused, Signer, moment, serial};

/// What an authority is called and how long it lasts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorityTerms {
    /// Common name of its subject, for people.
    pub name: String,
    /// The trust domain: organization of its subject.
    pub trust_domain: String,
    /// Hexadecimal.
    pub serial: String,
    /// Seconds since 1970.
    pub not_before: i64,
    /// Seconds since 1970.
    pub not_after: i64,
}

/// A certificate and the key of it, both PEM.
#[derive(Debug, Serialize)]
pub struct Authority {
    /// The certificate.
    pub certificate: String,
    /// PKCS #8.
    pub key: String,
}

/// A root with a new key. Below it there may be one more authority.
pub fn create_root(terms: &AuthorityTerms) -> Result<Authority, Refused> {
    let key = KeyPair::generate()?;
    let certificate = params(terms, 1)?.self_signed(&key)?.pem();
    Ok(Authority { certificate, key: key.serialize_pem() })
}

/// An intermediate under `root`; `key` when it keeps the one that it has, so that what it signed before stays good.
pub fn create_intermediate(root: &Signer, terms: &AuthorityTerms, key: Option<&str>) -> Result<Authority, Refused> {
    let key = match key {
        Some(pem) => KeyPair::from_pem(pem)?,
        None => KeyPair::generate()?,
    };
    let certificate = params(terms, 0)?.signed_by(&key, root.issuer())?.pem();
    Ok(Authority { certificate, key: key.serialize_pem() })
}

fn params(terms: &AuthorityTerms, levels_below: u8) -> Result<CertificateParams, Refused> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, terms.trust_domain.as_str());
    params.distinguished_name.push(DnType::CommonName, terms.name.as_str());
    params.serial_number = Some(serial(&terms.serial)?);
    params.not_before = moment(terms.not_before)?;
    params.not_after = moment(terms.not_after)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(levels_below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}
