//! Which route takes a request, and what becomes of it. Pure: no I/O, no clock, chance is handed in.
//!
//! [`choose`] looks a request up in the listener's [`Table`]; the route's [`Action`] says what follows: a [`Split`] over
//! clusters, a [`Redirect`], a fixed answer. [`explain`] says the same in words, for any request that can give
//! [`RequestFacts`], be it live, [asked] about or long past;
//! [`replay`] says it of many. May use the ground floor.

mod action;
pub mod asked;
mod explain;
mod facts;
mod fallback;
mod lane;
mod path_change;
pub mod replay;
mod rule;
mod split;
mod sticky;
mod table;
mod value;
mod when;
mod words;

pub use action::{Action, Redirect};
pub use explain::{Affinity, Explanation, Outcome, RuleVerdict, Share, Standing, explain};
pub use facts::{Live, RequestFacts};
pub use fallback::Fallback;
pub use lane::Lane;
pub use path_change::PathChange;
pub use rule::{Condition, HostPattern, PathPattern, Rule};
pub use split::{Split, Target, hash_of};
pub use sticky::{Sticky, StickyCookie, key_hash};
pub use table::{Chosen, Table};
pub use value::{Pattern, Test};
pub use when::Expression;

use crate::http::forward::RequestChanges;
use crate::snapshot::{GenerationListener, GenerationRoute};

/// The rule of the greatest rank that takes a request. `None`: no route takes it.
pub fn choose<F: RequestFacts + ?Sized>(listener: &GenerationListener, facts: &F) -> Option<Chosen> {
    listener.table.find(facts)
}

/// A route that was chosen, and the path by which it was.
#[derive(Clone, Copy)]
pub struct Routed<'a> {
    /// The route.
    pub route: &'a GenerationRoute,
    /// Of the rule that took the request.
    pub matched: &'a PathPattern,
}

impl Routed<'_> {
    /// What the endpoint is asked instead of what the client asked.
    pub fn request_changes<'a>(&'a self, path: &'a [u8]) -> RequestChanges<'a> {
        let rewrite = self.route.rewrite.as_deref();
        RequestChanges {
            path: rewrite.and_then(|rewrite| rewrite.path.as_ref()).and_then(|change| change.apply(path, self.matched)),
            authority: rewrite.and_then(|rewrite| rewrite.authority.as_deref()),
            headers: self.route.request_headers.as_deref(),
        }
    }
}
