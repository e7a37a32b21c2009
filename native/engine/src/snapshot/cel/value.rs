//! Values of expressions, and how they compare.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::number::compare_mixed;

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `bool`.
    Bool,
    /// `int`: 64 bits with a sign.
    Int,
    /// `double`: IEEE 754.
    Double,
    /// `string`.
    Text,
}

impl Type {
    /// As CEL calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Double => "double",
            Self::Text => "string",
        }
    }

    /// Numbers compare with each other whatever their type.
    pub(super) fn compares_with(self, other: Self) -> bool {
        self == other || (self.is_number() && other.is_number())
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Double)
    }
}

/// A value. Texts are bytes, for what a request says need not be UTF-8.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A `bool`.
    Bool(bool),
    /// An `int`.
    Int(i64),
    /// A `double`.
    Double(f64),
    /// A `string`.
    Text(Cow<'a, [u8]>),
}

/// Why an expression has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A map has no such entry.
    NoSuchKey,
    /// A number is out of its type's range.
    Overflow,
    /// A division by zero.
    DivisionByZero,
    /// A text that is no number was to become one.
    NotANumber,
    /// A variable has no value here.
    Unknown,
}

impl Fault {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoSuchKey => "an entry is absent",
            Self::Overflow => "a number is out of range",
            Self::DivisionByZero => "it divides by zero",
            Self::NotANumber => "a text is no number",
            Self::Unknown => "a value is not known",
        }
    }
}

impl Value<'_> {
    /// CEL's equality; numbers are equal as numbers, NaN to nothing.
    pub(super) fn equals(&self, other: &Self) -> bool {
        self.compare(other) == Some(Ordering::Equal)
    }

    /// CEL's order: `false` before `true`, texts by their bytes, which for UTF-8 is by code points. `None`: NaN.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(one), Self::Bool(other)) => Some(one.cmp(other)),
            (Self::Int(one), Self::Int(other)) => Some(one.cmp(other)),
            (Self::Double(one), Self::Double(other)) => one.partial_cmp(other),
            (Self::Text(one), Self::Text(other)) => Some(one.cmp(other)),
            (Self::Int(int), Self::Double(double)) => compare_mixed(*int, *double),
            (Self::Double(double), Self::Int(int)) => compare_mixed(*int, *double).map(Ordering::reverse),
            _ => None, // the check lets nothing else through
        }
    }
}
