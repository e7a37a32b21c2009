//! Certificate revocation lists (RFC 5280 section 5).

use rcgen::{CertificateRevocationListParams, RevocationReason, RevokedCertParams};
use serde::Deserialize;

use crate::{Refused, Signer, moment, serial};

/// One list: all that its issuer has taken back.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revocations {
    /// Grows with every list of an issuer.
    pub number: u64,
    /// Seconds since 1970.
    pub this_update: i64,
    /// Seconds since 1970.
    pub next_update: i64,
    /// What was taken back.
    pub revoked: Vec<Revoked>,
}

/// One certificate that was taken back.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// Hexadecimal.
    pub serial: String,
    /// Seconds since 1970.
    pub at: i64,
}

impl Signer {
    /// The list as PEM.
    pub fn revoke(&self, list: &Revocations) -> Result<String, Refused> {
        let one = |revoked: &Revoked| {
            Ok(RevokedCertParams {
                serial_number: serial(&revoked.serial)?,
                revocation_time: moment(revoked.at)?,
                // Why stands in the audit log: data planes only ask whether.
                reason_code: Some(RevocationReason::Unspecified),
                invalidity_date: None,
            })
        };
        let params = CertificateRevocationListParams {
            this_update: moment(list.this_update)?,
            next_update: moment(list.next_update)?,
            crl_number: list.number.into(),
            issuing_distribution_point: None,
            revoked_certs: list.revoked.iter().map(one).collect::<Result<_, Refused>>()?,
            key_identifier_method: self.key_identifier(),
        };
        Ok(params.signed_by(self.issuer())?.pem()?)
    }
}
