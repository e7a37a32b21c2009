//! The signing half of the certificate authority. JSON and PEM cross, and a signer's number in this process: its key
//! stays on this side.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use napi::bindgen_prelude::AsyncTask;
use napi::{Env, Result, Task};
use napi_derive::napi;
use serde::Serialize;
use serde::de::DeserializeOwned;
use weft_ca::{AuthorityTerms, LeafTerms, Request, Revocations, Signer, create_intermediate, create_root};

use crate::error::{failed, guarded, refused};

static SIGNERS: LazyLock<Mutex<HashMap<u32, Arc<Signer>>>> = LazyLock::new(Mutex::default);
static NEXT: AtomicU32 = AtomicU32::new(1);

fn find(id: u32) -> Result<Arc<Signer>> {
    let signers = SIGNERS.lock().unwrap_or_else(PoisonError::into_inner);
    signers.get(&id).cloned().ok_or_else(|| failed("the signer", &format!("there is none with the number {id}")))
}

fn read<T: DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| failed("what to sign", &error))
}

fn write<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| failed("what was signed", &error))
}

/// A root that signs itself: JSON `{name, trustDomain, serial, notBefore, notAfter}` in, `{certificate, key}` out.
#[napi(js_name = "createRoot")]
pub fn make_root(terms: String) -> Result<String> {
    guarded("createRoot", || write(&create_root(&read::<AuthorityTerms>(&terms)?).map_err(refused)?))
}

/// An intermediate under the root of the signer; `key` when it keeps its own. The same JSON as for a root.
#[napi(js_name = "createIntermediate")]
pub fn make_intermediate(signer: u32, terms: String, key: Option<String>) -> Result<String> {
    guarded("createIntermediate", || {
        let terms: AuthorityTerms = read(&terms)?;
        write(&create_intermediate(&*find(signer)?, &terms, key.as_deref()).map_err(refused)?)
    })
}

/// Takes an authority's certificate and key (PEM) and returns the number under which it signs.
#[napi]
pub fn open_signer(certificate: String, key: String) -> Result<u32> {
    guarded("openSigner", || {
        let signer = Signer::open(&certificate, &key).map_err(refused)?;
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        SIGNERS.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::new(signer));
        Ok(id)
    })
}

/// Forgets a signer and its key.
#[napi]
pub fn close_signer(signer: u32) {
    SIGNERS.lock().unwrap_or_else(PoisonError::into_inner).remove(&signer);
}

/// A certificate with a new key: JSON `{uris, hosts, serial, notBefore, notAfter}` in, `{certificate, key, publicKey}` out.
#[napi]
pub fn issue_certificate(signer: u32, terms: String) -> Result<String> {
    guarded("issueCertificate", || write(&find(signer)?.issue(&read::<LeafTerms>(&terms)?).map_err(refused)?))
}

/// A request with a new key and no name: JSON `{request, key}`.
#[napi]
pub fn create_request() -> Result<String> {
    guarded("createRequest", || write(&Request::make().map_err(refused)?))
}

/// A certificate for the key of a request (PEM), signed on the thread pool. The same JSON, `key` null.
#[napi(ts_return_type = "Promise<string>")]
pub fn sign_request(signer: u32, request: String, terms: String) -> Result<AsyncTask<Signing>> {
    Ok(AsyncTask::new(Signing { signer: find(signer)?, request, terms }))
}

/// A list of what the signer's authority has taken back: JSON `{number, thisUpdate, nextUpdate, revoked}` in, PEM out.
#[napi]
pub fn sign_revocations(signer: u32, list: String) -> Result<String> {
    guarded("signRevocations", || find(signer)?.revoke(&read::<Revocations>(&list)?).map_err(refused))
}

/// One request on its way through the thread pool.
pub struct Signing {
    signer: Arc<Signer>,
    request: String,
    terms: String,
}

impl Task for Signing {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> Result<String> {
        guarded("signRequest", || {
            let request = Request::read(&self.request).map_err(refused)?;
            write(&self.signer.sign(&request, &read::<LeafTerms>(&self.terms)?).map_err(refused)?)
        })
    }

    fn resolve(&mut self, _: Env, signed: String) -> Result<String> {
        Ok(signed)
    }
}
