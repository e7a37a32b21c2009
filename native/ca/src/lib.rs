//! The cryptography of the mesh's certificate authority: keys, certificates, requests and revocation lists, by rcgen.
//!
//! What to issue, to whom and for how long is decided in TypeScript (`src/control/ca`); here it is signed. Nothing of a
//! request goes into a certificate but its public key. Clock and serial numbers are given.

#![forbid(unsafe_code)]

mod authority;
mod leaf;
mod request;
mod revocation;
mod signer;

pub use authority::{Authority, AuthorityTerms, create_intermediate, create_root};
pub use leaf::{Leaf, LeafTerms};
pub use request::{Made, Request};
pub use revocation::{Revocations, Revoked};
pub use signer::Signer;

use std::fmt;

/// Why something was not signed or not read, for people.
#[derive(Debug)]
pub struct Refused(String);

impl Refused {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl From<rcgen::Error> for Refused {
    fn from(error: rcgen::Error) -> Self {
        Self(error.to_string())
    }
}

/// Seconds since 1970 as what certificates hold.
pub(crate) fn moment(seconds: i64) -> Result<time::OffsetDateTime, Refused> {
    time::OffsetDateTime::from_unix_timestamp(seconds)
        .map_err(|_| Refused::new(format!("{seconds} is no time that a certificate can hold")))
}

/// A serial number of 1 to 20 bytes in hexadecimal (RFC 5280 section 4.1.2.2).
pub(crate) fn serial(hex: &str) -> Result<rcgen::SerialNumber, Refused> {
    let refused = || Refused::new(format!("{hex} is no serial number"));
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if pairs.is_empty() || pairs.len() > 20 || !rest.is_empty() {
        return Err(refused());
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    let bytes: Vec<u8> = bytes.collect::<Option<_>>().ok_or_else(refused)?;
    Ok(rcgen::SerialNumber::from(bytes))
}
