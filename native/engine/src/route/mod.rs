//! Which route takes a request. Pure.

mod facts;

pub use facts::{Live, RequestFacts};

use crate::snapshot::{Generation, GenerationListener};

/// The first route of the listener, by precedence. `None`: no route takes the request.
pub fn choose(listener: &GenerationListener, generation: &Generation) -> Option<u16> {
    listener.routes.first().copied().filter(|route| generation.routes.get(usize::from(*route)).is_some())
}
