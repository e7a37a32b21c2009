//! Conditions written in CEL, the Common Expression Language (github.com/google/cel-spec): a text becomes a small tree
//! once per generation, checked for types over a declared [`Environment`], and is evaluated without a look at the text.
//!
//! The grammar is the crate `cel`'s; check and evaluation are ours. What a request can not decide is an error of CEL's
//! kind: `&&` and `||` absorb it on either side, and what is left of it is "does not hold". Invariants: an expression
//! that compiles never meets a wrong type; evaluation takes time linear in the expression and the values that it reads,
//! and allocates only where `+` and `string()` make a new text.

mod check;
mod environment;
mod evaluate;
mod functions;
mod mistake;
mod node;
mod number;
mod value;
mod words;

#[cfg(test)]
mod tests;

pub use environment::{Environment, Kind, Variable, Variables};
pub use mistake::Mistake;
pub use value::{Fault, Type, Value};

use node::Node;

/// A compiled expression.
#[derive(Debug)]
pub struct Cel {
    source: Box<str>,
    root: Node,
    environment: &'static Environment,
}

impl Cel {
    /// Parses and checks. It must be of one of the `wanted` types.
    pub fn compile(source: &str, environment: &'static Environment, wanted: &[Type]) -> Result<Self, Mistake> {
        let root = check::check(source, environment, wanted)?;
        Ok(Self { source: source.trim().into(), root, environment })
    }

    /// As written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its value.
    pub fn value<'a>(&'a self, variables: &'a dyn Variables) -> Result<Value<'a>, Fault> {
        self.root.value(variables)
    }

    /// Whether it is true. What cannot be decided is not.
    pub fn holds(&self, variables: &dyn Variables) -> bool {
        matches!(self.root.value(variables), Ok(Value::Bool(true)))
    }

    /// The keys that it reads of a map, in the order of the text; each may stand more than once.
    pub fn keys(&self, map: u8) -> Vec<&str> {
        let mut keys = Vec::new();
        self.root.visit(&mut |node| match node {
            Node::Entry { map: read, key } | Node::HasEntry { map: read, key } if *read == map => keys.push(&**key),
            _ => {}
        });
        keys
    }

    /// Whether it reads a variable.
    pub fn reads(&self, variable: u8) -> bool {
        let mut found = false;
        self.root.visit(&mut |node| found |= matches!(node, Node::Variable(read) if *read == variable));
        found
    }

    /// Why it does not hold, in words; `None` when it does.
    pub fn obstacle(&self, variables: &dyn Variables) -> Option<String> {
        words::obstacle(&self.root, self.environment, variables)
    }
}

/// Whether two are the same text over the same variables.
impl PartialEq for Cel {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.environment, other.environment) && self.source == other.source
    }
}

impl Eq for Cel {}
