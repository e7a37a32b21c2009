//! What an expression may read: declared names, and who answers for them.

use super::value::{Fault, Type, Value};

/// The variables of one kind of expression. A variable is known by its place in the list.
#[derive(Debug)]
pub struct Environment {
    /// In one order for ever within a process.
    pub variables: &'static [Variable],
}

/// A declared name.
#[derive(Debug)]
pub struct Variable {
    /// With its dots: `request.path`.
    pub path: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// What a variable holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value.
    Value(Type),
    /// Texts by their names.
    Map,
    /// Texts by their names, which are written in lower case.
    LowerCaseMap,
}

/// Who answers for the variables of an environment.
pub trait Variables {
    /// A variable's value, of its declared type.
    fn variable(&self, variable: u8) -> Result<Value<'_>, Fault>;
    /// An entry of a map.
    fn entry(&self, map: u8, key: &str) -> Option<Value<'_>>;
}

impl Environment {
    /// The place of a name.
    pub(super) fn find(&self, path: &str) -> Option<(u8, &'static Variable)> {
        (0..).zip(self.variables).find(|(_, variable)| variable.path == path)
    }

    /// The name at a place.
    pub(super) fn path(&self, variable: u8) -> &'static str {
        self.variables.get(usize::from(variable)).map_or("?", |variable| variable.path)
    }

    /// All names, for hints.
    pub(super) fn known(&self) -> String {
        let names: Vec<&str> = self.variables.iter().map(|variable| variable.path).collect();
        names.join(", ")
    }
}
