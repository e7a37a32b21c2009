//! Where many requests would go under a generation that is not served: the table that would route them, asked without
//! words. [`crate::route::asked`] says the same of one request, with reasons.

use serde::Serialize;

use crate::http::head::RequestHead;
use crate::route::asked::{Question, Refused, read};
use crate::route::{self, Action, Live, Target};
use crate::snapshot::{Generation, GenerationListener};

/// What a generation would do with a request.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Decision {
    /// A cluster answers it.
    Forward {
        /// Name of the route.
        route: String,
        /// Clusters and their weights.
        split: Vec<(String, u32)>,
        /// The cluster that takes this request; `None`: chance decides.
        takes: Option<String>,
    },
    /// The client is sent elsewhere.
    Redirect {
        /// Name of the route.
        route: String,
        /// Of the answer.
        status: u16,
        /// Of the answer.
        location: String,
    },
    /// The proxy answers it.
    Respond {
        /// Name of the route.
        route: String,
        /// Of the answer.
        status: u16,
    },
    /// No route takes it.
    Unroutable {},
    /// It is answered before it is routed.
    Refused {
        /// Of the answer.
        status: u16,
        /// One sentence.
        reason: &'static str,
    },
    /// The listener where it came in is not there.
    NoListener {},
}

/// The decision about each question, in their order. A question must name its listener.
pub fn decisions(generation: &Generation, questions: &[Question]) -> Vec<Decision> {
    let mut head = RequestHead::new();
    questions.iter().map(|question| decision(generation, question, &mut head)).collect()
}

fn decision(generation: &Generation, question: &Question, head: &mut RequestHead) -> Decision {
    let named = |listener: &&GenerationListener| question.listener.as_ref() == Some(&listener.name);
    let Some(listener) = generation.listeners.iter().find(named) else { return Decision::NoListener {} };
    if let Err(Refused { status, reason }) = read(listener, question, head) {
        return Decision::Refused { status, reason };
    }
    let facts = Live { head, client: &question.client };
    let chosen = route::choose(listener, &facts);
    let Some((chosen, route)) =
        chosen.and_then(|chosen| Some((chosen, generation.routes.get(usize::from(chosen.route))?)))
    else {
        return Decision::Unroutable {};
    };
    let name = route.name.clone();
    match &route.action {
        Action::Forward(split) => {
            let named = |target: &Target| {
                let cluster = generation.clusters.get(usize::from(target.cluster))?;
                Some(match &target.subset {
                    None => cluster.name.clone(),
                    Some(subset) => format!("{} ({})", cluster.name, subset.text),
                })
            };
            let targets = split.targets().iter();
            let takes = if let [only] = split.targets() { Some(only) } else { split.stuck(&facts) };
            Decision::Forward {
                route: name,
                split: targets.filter_map(|target| Some((named(target)?, target.weight))).collect(),
                takes: takes.and_then(named),
            }
        }
        Action::Redirect(redirect) => {
            let matched = listener.table.rule(chosen.rule).map(|rule| &rule.path);
            let location = matched
                .map(|matched| redirect.location(&facts, head.text(head.authority), "http", matched))
                .map(|location| String::from_utf8_lossy(&location).into_owned());
            Decision::Redirect { route: name, status: redirect.direct.status, location: location.unwrap_or_default() }
        }
        Action::Respond(direct) => Decision::Respond { route: name, status: direct.status },
    }
}
