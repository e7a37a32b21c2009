//! The filters of listeners, routes and clusters.

use super::{Compiler, Rejection};
use crate::filter::Chain;
use crate::snapshot::Filter;

impl Compiler<'_> {
    /// The filters of a noun: `path` is where it stands in the snapshot, `owner` who it is in any snapshot.
    pub(super) fn filters(&mut self, path: &str, owner: &str, filters: &[Filter]) -> Chain {
        Chain::compile(filters, owner, &mut self.books.filters).unwrap_or_else(|unfit| {
            let path = format!("{path}.filters.{}", unfit.place);
            self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_FILTER", unfit.message));
            Chain::default()
        })
    }
}
