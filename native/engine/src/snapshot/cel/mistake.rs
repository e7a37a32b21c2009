//! What is wrong with an expression, and where.

use std::fmt;

/// A mistake in an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// One sentence.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl Mistake {
    /// At the beginning.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, line: 1, column: 1 }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Behind so many bytes of a text.
    pub(super) fn at(self, source: &str, bytes: usize) -> Self {
        let mut place = (1, 1);
        for (_, character) in source.char_indices().take_while(|(at, _)| *at < bytes) {
            place = if character == '\n' { (place.0 + 1, 1) } else { (place.0, place.1 + 1) };
        }
        Self { line: place.0, column: place.1, ..self }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 1 {
            write!(out, "line {}, ", self.line)?;
        }
        write!(out, "column {}: {}", self.column, self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(out, "; {hint}"))
    }
}
