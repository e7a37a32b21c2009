//! The compiled form: a tree whose types were checked.

use super::value::Type;
use regex::bytes::Regex;

/// A part of an expression.
#[derive(Debug)]
pub(super) enum Node {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Box<[u8]>),
    /// A variable of the environment.
    Variable(u8),
    /// An entry of a map.
    Entry {
        map: u8,
        key: Box<str>,
    },
    /// Whether a map has an entry.
    HasEntry {
        map: u8,
        key: Box<str>,
    },
    Not(Box<Node>),
    Negative(Box<Node>),
    /// `&&` of all.
    All(Box<[Node]>),
    /// `||` of all.
    Any(Box<[Node]>),
    /// `condition ? one : other`.
    Choice(Box<[Node; 3]>),
    Compare(Comparison, Box<[Node; 2]>),
    Arithmetic(Operation, Box<[Node; 2]>),
    /// `value in [choices]`.
    OneOf(Box<Node>, Box<[Node]>),
    TextTest(TextTest, Box<[Node; 2]>),
    Matches(Box<Node>, Pattern),
    /// Code points of a text.
    Size(Box<Node>),
    Convert(Type, Box<Node>),
}

/// A regular expression with its text.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) text: Box<str>,
    pub(super) regex: Regex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

impl Comparison {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl Operation {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

impl TextTest {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::StartsWith => "startsWith",
            Self::EndsWith => "endsWith",
            Self::Contains => "contains",
        }
    }
}

impl Node {
    /// The parts that it is made of.
    pub(super) fn parts(&self) -> Vec<&Self> {
        match self {
            Self::Bool(_) | Self::Int(_) | Self::Double(_) | Self::Text(_) => Vec::new(),
            Self::Variable(_) | Self::Entry { .. } | Self::HasEntry { .. } => Vec::new(),
            Self::Not(part) | Self::Negative(part) | Self::Size(part) => vec![part],
            Self::Matches(part, _) | Self::Convert(_, part) => vec![part],
            Self::All(parts) | Self::Any(parts) => parts.iter().collect(),
            Self::Choice(parts) => parts.iter().collect(),
            Self::Compare(_, parts) | Self::Arithmetic(_, parts) | Self::TextTest(_, parts) => parts.iter().collect(),
            Self::OneOf(value, choices) => std::iter::once(&**value).chain(choices).collect(),
        }
    }

    /// Calls for it and each part, in the order of the text.
    pub(super) fn visit<'a>(&'a self, call: &mut impl FnMut(&'a Self)) {
        call(self);
        for part in self.parts() {
            part.visit(call);
        }
    }
}
