//! The filters of listeners, routes and clusters.

use super::{Compiler, Rejection};
use crate::filter::Chain;
use crate::snapshot::Filter;

impl Compiler<'_> {
    /// The filters of the entry `index` of `noun`, which is called `name` in any snapshot.
    pub(super) fn filters(&mut self, noun: &str, index: usize, name: &str, filters: &[Filter]) -> Chain {
        if filters.is_empty() {
            return Chain::default();
        }
        Chain::compile(filters, &format!("{noun} {name}"), &mut self.books.filters).unwrap_or_else(|unfit| {
            let path = format!("{noun}.{index}.filters.{}", unfit.place);
            self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_FILTER", unfit.message));
            Chain::default()
        })
    }
}
