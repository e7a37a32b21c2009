//! A value on cache lines of its own: neighbours that other workers write do not slow it down.

use std::ops::Deref;

/// A value on cache lines of its own. Two lines, for processors fetch them in pairs.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct Padded<T>(T);

impl<T> Deref for Padded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
