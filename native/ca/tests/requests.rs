//! Requests as they come from a network: good ones, forged ones, and bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends at what it did not expect")]

use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SanType, SigningKey};
use weft_ca::{AuthorityTerms, LeafTerms, Request, Signer, create_intermediate, create_root};

const NOW: i64 = 1_800_000_000;
const IDENTITY: &str = "spiffe://shop.example/ns/default/sa/reviews";

fn terms(serial: &str) -> AuthorityTerms {
    AuthorityTerms {
        name: "test".into(),
        trust_domain: "shop.example".into(),
        serial: serial.into(),
        not_before: NOW,
        not_after: NOW + 1_000,
    }
}

fn leaf() -> LeafTerms {
    LeafTerms {
        uris: vec![IDENTITY.into()],
        hosts: vec![],
        serial: "0a0b".into(),
        not_before: NOW,
        not_after: NOW + 10,
    }
}

fn signer() -> Signer {
    let root = create_root(&terms("01")).unwrap();
    Signer::open(&root.certificate, &root.key).unwrap()
}

fn request(key: &impl SigningKey, uris: &[&str]) -> rcgen::CertificateSigningRequest {
    let mut params = CertificateParams::default();
    params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
    params.serialize_request(key).unwrap()
}

fn refusal(pem: &str) -> String {
    Request::read(pem).unwrap_err().to_string()
}

#[test]
fn a_request_of_each_usual_key_is_signed() {
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let pem = request(&key, &[IDENTITY]).pem().unwrap();
        let signed = signer().sign(&Request::read(&pem).unwrap(), &leaf()).unwrap();
        assert!(signed.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
        assert_eq!(signed.key, None);
    }
}

#[test]
fn a_request_without_names_is_signed_for_whoever_asks() {
    let made = Request::make().unwrap();
    assert!(signer().sign(&Request::read(&made.request).unwrap(), &leaf()).is_ok());
}

#[test]
fn a_name_that_was_not_granted_is_refused_by_name() {
    let key = KeyPair::generate().unwrap();
    let wanted = "spiffe://shop.example/ns/default/sa/billing";
    let pem = request(&key, &[IDENTITY, wanted]).pem().unwrap();
    let why = signer().sign(&Request::read(&pem).unwrap(), &leaf()).unwrap_err().to_string();
    assert_eq!(why, format!("the request asks for URI:{wanted}, and whoever asks is {IDENTITY}"));
}

#[test]
fn a_request_that_another_key_has_signed_is_refused() {
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut der = request(&key, &[IDENTITY]).der().to_vec();
    let own = key.public_key_raw().to_vec();
    let at = der.windows(own.len()).position(|bytes| bytes == own).unwrap();
    der[at..at + own.len()].copy_from_slice(other.public_key_raw());
    assert_eq!(refusal(&pem_of(&der)), "the request is not signed by the key that it is about");
}

#[test]
fn a_request_for_an_authority_is_refused() {
    let mut params = CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = params.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap();
    assert!(refusal(&pem).starts_with("the request asks for an authority"));
}

#[test]
fn what_is_no_request_is_refused() {
    assert_eq!(refusal("hello"), "the request is no PEM text of a CERTIFICATE REQUEST");
    assert_eq!(refusal(&"x".repeat(20_000)), "the request has more than 16384 bytes");
    let mut longer = request(&KeyPair::generate().unwrap(), &[]).der().to_vec();
    longer.extend_from_slice(b"more");
    assert_eq!(refusal(&pem_of(&longer)), "the request goes on after its end");
}

#[test]
fn a_key_of_another_certificate_does_not_sign() {
    let (one, other) = (create_root(&terms("01")).unwrap(), create_root(&terms("02")).unwrap());
    let why = Signer::open(&one.certificate, &other.key).err().unwrap().to_string();
    assert_eq!(why, "the key is not the one of the certificate");
}

#[test]
fn a_certificate_that_is_no_authority_does_not_sign() {
    let issued = signer().issue(&leaf()).unwrap();
    let why = Signer::open(&issued.certificate, &issued.key.unwrap()).err().unwrap().to_string();
    assert_eq!(why, "the certificate is not one of an authority (CA:TRUE)");
}

#[test]
fn an_intermediate_may_keep_its_key() {
    let root = signer();
    let first = create_intermediate(&root, &terms("02"), None).unwrap();
    let second = create_intermediate(&root, &terms("03"), Some(&first.key)).unwrap();
    assert_eq!(first.key, second.key);
    assert_ne!(first.certificate, second.certificate);
}

fn pem_of(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n", lines.join("\n"))
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = Request::read(&pem_of(&bytes));
    }

    #[test]
    fn a_request_with_one_signed_byte_changed_is_refused(at in any::<prop::sample::Index>(), by in 1..=255_u8) {
        let mut der = request(&KeyPair::generate().unwrap(), &[IDENTITY]).der().to_vec();
        // What stands around the signed part may be written in more than one way without another meaning.
        let (begin, _) = content(&der);
        let (head, length) = content(&der[begin..]);
        let at = begin + at.index(head + length);
        der[at] ^= by;
        prop_assert!(Request::read(&pem_of(&der)).is_err());
    }
}

/// Where the content of a DER value begins, and how long it is (X.690 8.1.3).
fn content(der: &[u8]) -> (usize, usize) {
    match usize::from(der[1]) {
        short @ 0..0x80 => (2, short),
        long => {
            let bytes = &der[2..2 + (long & 0x7f)];
            (2 + bytes.len(), bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
        }
    }
}
