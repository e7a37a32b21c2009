//! The header lines of either head, as filters change them.

use crate::http::head::{RequestHead, ResponseHead};

/// What changes ask of a head, a request's or an answer's.
pub(super) trait Lines {
    fn values<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]>;
    fn append(&mut self, name: &[u8], value: &[u8]) -> bool;
    fn remove(&mut self, name: &[u8]);
}

macro_rules! lines {
    ($head:ident) => {
        impl Lines for $head {
            fn values<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
                self.section().iter().filter(move |line| line.0.eq_ignore_ascii_case(name)).map(|line| line.1)
            }

            fn append(&mut self, name: &[u8], value: &[u8]) -> bool {
                $head::append(self, name, value)
            }

            fn remove(&mut self, name: &[u8]) {
                $head::remove(self, name);
            }
        }
    };
}

lines!(RequestHead);
lines!(ResponseHead);
