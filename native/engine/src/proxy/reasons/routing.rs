//! Which rules a recorded request passed over: it is asked again of the generation that it ran under.
//!
//! Invariant: nothing is stored for it; the request is read by the parser and explained by the table that served it.

use super::records::Told;
use crate::route::Explanation;
use crate::route::asked::{Question, at_listener};
use crate::snapshot::Generation;

/// The explanation of a recorded request. `None` for a request that was refused before it was routed.
pub(super) fn routing(told: &Told, generation: &Generation) -> Option<Explanation> {
    let listener = generation.listeners.iter().find(|listener| Some(&listener.name) == told.listener.as_ref())?;
    let host = ("host".to_owned(), told.authority.clone());
    let recorded = told.headers.iter().filter(|(name, _)| *name != "host");
    let question = Question {
        method: told.method.clone(),
        target: told.path.clone(),
        headers: std::iter::once(host).chain(recorded.map(|(name, value)| (name.clone(), value.clone()))).collect(),
        client: told.downstream.socket().map(|client| client.ip().to_string()).unwrap_or_default(),
        listener: None,
    };
    at_listener(listener, generation, &question).explanation
}
