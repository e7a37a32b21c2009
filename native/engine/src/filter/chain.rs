//! The filters of one listener, route or cluster, and what of theirs outlives a configuration.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::HashMap;

use super::Filter;
use super::bandwidth_limit::BandwidthLimit;
use super::body::{BodyMode, Direction, mode};
use super::budget::Budget;
use super::header_rewrite::HeaderRewrite;
use super::local_rate_limit::LocalRateLimit;
use super::script::{Script, ScriptCounts};
use crate::snapshot::Filter as Settings;

/// Filters in the order in which a request meets them.
#[derive(Default)]
pub struct Chain {
    filters: Box<[Box<dyn Filter>]>,
    /// One of them sees bodies of requests.
    sees_requests: bool,
}

/// A filter that cannot be made: its place in the list, and why.
#[derive(Debug)]
pub struct Unfit {
    /// Place in the list.
    pub place: usize,
    /// What is wrong, and where in the filter's settings.
    pub message: String,
}

impl Chain {
    /// Makes every filter of a list. `owner` tells whose they are, for state that outlives configurations.
    pub fn compile(settings: &[Settings], owner: &str, book: &mut FilterBook) -> Result<Self, Unfit> {
        let made = settings.iter().enumerate().map(|(place, settings)| {
            // The one list of filters.
            match settings {
                Settings::LocalRateLimit(settings) => LocalRateLimit::new(settings, owner, book).map(boxed),
                Settings::BandwidthLimit(settings) => Ok(boxed(BandwidthLimit::new(settings, owner, place, book))),
                Settings::Budget(settings) => Budget::new(settings, book).map(boxed),
                Settings::HeaderRewrite(settings) => HeaderRewrite::new(settings).map(boxed),
                Settings::Script(settings) => Ok(boxed(Script::new(settings, book))),
            }
            .map_err(|message| Unfit { place, message })
        });
        made.collect::<Result<_, Unfit>>().map(Self::of)
    }

    fn of(filters: Box<[Box<dyn Filter>]>) -> Self {
        let mut all = filters.iter().map(AsRef::as_ref);
        let sees_requests = all.any(|filter| mode(filter, Direction::Request) != BodyMode::None);
        Self { filters, sees_requests }
    }

    /// Whether one of them sees bodies of requests.
    pub fn sees_requests(&self) -> bool {
        self.sees_requests
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.filters.len()
    }

    /// Whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    /// The filters in their order.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Filter> {
        self.filters.iter().map(AsRef::as_ref)
    }
}

fn boxed(filter: impl Filter + 'static) -> Box<dyn Filter> {
    Box::new(filter)
}

/// State of filters that outlives the configuration that named it, by owner, name and definition: a filter that comes
/// back as it was goes on where it was, a changed one starts anew.
#[derive(Default)]
pub struct FilterBook {
    known: HashMap<String, Arc<dyn Any + Send + Sync>>,
    /// By the filters' names; kept for the life of the proxy, so that no count falls.
    scripts: BTreeMap<String, Arc<ScriptCounts>>,
}

impl FilterBook {
    /// The state under that key, made on first use.
    pub fn keep<T: Any + Send + Sync>(&mut self, key: String, make: impl FnOnce() -> T) -> Arc<T> {
        let known = self.known.get(&key).and_then(|known| Arc::clone(known).downcast().ok());
        known.unwrap_or_else(|| {
            let made = Arc::new(make());
            self.known.insert(key, Arc::clone(&made) as Arc<dyn Any + Send + Sync>);
            made
        })
    }

    /// The counts of the scripts of this name.
    pub fn script_counts(&mut self, name: &str) -> Arc<ScriptCounts> {
        Arc::clone(self.scripts.entry(name.to_owned()).or_default())
    }

    /// The counts of all scripts, by name.
    pub fn scripts(&self) -> impl Iterator<Item = (&str, &ScriptCounts)> {
        self.scripts.iter().map(|(name, counts)| (name.as_str(), &**counts))
    }

    /// Forgets what no filter holds any more.
    pub fn forget_unused(&mut self) {
        self.known.retain(|_, state| Arc::strong_count(state) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_kept_as_long_as_a_filter_holds_it() {
        let mut book = FilterBook::default();
        let first = book.keep("a".to_owned(), || 1);
        assert!(Arc::ptr_eq(&first, &book.keep("a".to_owned(), || 2)));
        assert_eq!(*book.keep("b".to_owned(), || 3), 3);
        book.forget_unused();
        assert_eq!(book.known.len(), 1);
        drop(first);
        book.forget_unused();
        assert!(book.known.is_empty());
    }
}
