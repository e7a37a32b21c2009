//! A request that is asked about and never sent: read by the parser that reads real ones, then explained by the table
//! that would route it.

use serde::{Deserialize, Serialize};

use crate::http::head::RequestHead;
use crate::http::parse::{Parsed, parse_request};
use crate::route::{self, Explanation, Live};
use crate::snapshot::{Generation, GenerationListener};

/// A request that is asked about.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    /// As it would stand in the request line.
    pub method: String,
    /// Path and query, as they would stand in the request line.
    pub target: String,
    /// Names and values, the Host among them.
    pub headers: Vec<(String, String)>,
    /// The client's address.
    pub client: String,
    /// At this listener; none: at each.
    pub listener: Option<String>,
}

/// What one listener would do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Its name.
    pub listener: String,
    /// Why it would not be routed at all.
    pub refused: Option<Refused>,
    /// Where it would go.
    pub explanation: Option<Explanation>,
}

/// A request that is answered before it is routed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// Of the answer.
    pub status: u16,
    /// One sentence.
    pub reason: &'static str,
}

/// What each listener that is asked about would do.
pub fn answer(generation: &Generation, question: &Question) -> Vec<Answer> {
    let asked = |listener: &&GenerationListener| question.listener.as_ref().is_none_or(|name| *name == listener.name);
    generation.listeners.iter().filter(asked).map(|listener| at_listener(listener, generation, question)).collect()
}

/// What one listener would do.
pub fn at_listener(listener: &GenerationListener, generation: &Generation, question: &Question) -> Answer {
    let mut head = RequestHead::new();
    let (refused, explanation) = match read(listener, question, &mut head) {
        Ok(()) => {
            let facts = Live { head: &head, client: &question.client };
            (None, Some(route::explain(listener, generation, &facts, head.text(head.authority))))
        }
        Err(refused) => (Some(refused), None),
    };
    Answer { listener: listener.name.clone(), refused, explanation }
}

/// Reads a question as the listener would read the request.
pub fn read(listener: &GenerationListener, question: &Question, head: &mut RequestHead) -> Result<(), Refused> {
    let mut text = format!("{} {} HTTP/1.1\r\n", question.method, question.target);
    for (name, value) in &question.headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    match parse_request(text.as_bytes(), listener.head_limits, head) {
        Ok(Parsed::Complete(length)) if length == text.len() => Ok(()),
        Ok(_) => Err(Refused { status: 400, reason: "a line of it is empty" }),
        Err(refusal) => Err(Refused { status: refusal.status, reason: refusal.reason }),
    }
}
