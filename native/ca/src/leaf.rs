//! What a workload's certificate says: its names and its time, and that it is for both sides of mutual TLS.

use std::net::IpAddr;

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, SanType};
use serde::{Deserialize, Serialize};

use crate::{Refused, moment, serial};

/// What is granted.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeafTerms {
    /// Subject alternative names: SPIFFE IDs.
    pub uris: Vec<String>,
    /// Subject alternative names of gateways and operators: DNS names or IP addresses.
    pub hosts: Vec<String>,
    /// Hexadecimal.
    pub serial: String,
    /// Seconds since 1970.
    pub not_before: i64,
    /// Seconds since 1970.
    pub not_after: i64,
}

/// A signed certificate.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Leaf {
    /// PEM.
    pub certificate: String,
    /// PKCS #8, PEM; none where the key never left whoever asked.
    pub key: Option<String>,
    /// The public key as it stands in the certificate (DER of its `SubjectPublicKeyInfo`), in hexadecimal.
    pub public_key: String,
}

pub(crate) fn params(terms: &LeafTerms) -> Result<CertificateParams, Refused> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "weft");
    params.serial_number = Some(serial(&terms.serial)?);
    params.not_before = moment(terms.not_before)?;
    params.not_after = moment(terms.not_after)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    for uri in &terms.uris {
        params.subject_alt_names.push(SanType::URI(uri.as_str().try_into()?));
    }
    for host in &terms.hosts {
        params.subject_alt_names.push(match host.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(host.as_str().try_into()?),
        });
    }
    Ok(params)
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
