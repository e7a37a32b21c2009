//! Questions about a snapshot that is not served. JSON crosses; nothing is bound, opened or started.

use napi::Result;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use weft_engine::route::asked::{self, Question};
use weft_engine::route::replay as replaying;
use weft_engine::snapshot;

use crate::error::{failed, guarded};
use crate::proxy::find;

/// What the engine would refuse of a snapshot, as JSON: a list of `{path, code, message}`. Nothing comes into force.
#[napi]
pub fn check(snapshot: Buffer) -> Result<String> {
    guarded("check", || {
        let rejected = snapshot::inspect(&snapshot).err().unwrap_or_default();
        serde_json::to_string(&rejected).map_err(|error| failed("check", &error))
    })
}

/// Where a request would go, as JSON: `{rejected, answers}`, one answer for each listener that is asked about. `question`
/// is JSON: `{method, target, headers, client, listener}`.
#[napi]
pub fn explain(snapshot: Buffer, question: String) -> Result<String> {
    guarded("explain", || {
        let question: Question = serde_json::from_str(&question).map_err(|error| failed("explain", &error))?;
        let said = match snapshot::inspect(&snapshot) {
            Ok(generation) => serde_json::json!({ "rejected": [], "answers": asked::answer(&generation, &question) }),
            Err(rejected) => serde_json::json!({ "rejected": rejected, "answers": [] }),
        };
        Ok(said.to_string())
    })
}

/// Where recorded requests would go, as JSON: `{rejected, headers, redacted, decisions}`, with the headers that records would
/// keep and a decision for each question. `questions` is a list as of `explain`, each with its listener.
#[napi]
pub fn replay(snapshot: Buffer, questions: String) -> Result<String> {
    guarded("replay", || {
        let questions: Vec<Question> = serde_json::from_str(&questions).map_err(|error| failed("replay", &error))?;
        let said = match snapshot::inspect(&snapshot) {
            Ok(generation) => serde_json::json!({
                "rejected": [],
                "headers": generation.records.headers,
                "redacted": generation.records.redact,
                "decisions": replaying::decisions(&generation, &questions),
            }),
            Err(rejected) => {
                serde_json::json!({ "rejected": rejected, "headers": [], "redacted": [], "decisions": [] })
            }
        };
        Ok(said.to_string())
    })
}

/// The same of the configuration that a proxy serves now, with what has happened to it since it was applied.
#[napi]
pub fn explain_served(proxy: u32, question: String) -> Result<String> {
    guarded("explainServed", || {
        let question: Question = serde_json::from_str(&question).map_err(|error| failed("explainServed", &error))?;
        let generation = find(proxy)?.generation();
        let answers = generation.map(|generation| asked::answer(&generation, &question)).unwrap_or_default();
        serde_json::to_string(&answers).map_err(|error| failed("explainServed", &error))
    })
}
