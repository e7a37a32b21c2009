//! Evaluation, after the language definition: logic absorbs errors, everything else hands them on.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::environment::Variables;
use super::node::{Comparison, Node, Operation, TextTest};
use super::number::{parsed_double, parsed_int, truncated};
use super::value::{Fault, Type, Value};

impl Node {
    /// Its value.
    pub(super) fn value<'a>(&'a self, variables: &'a dyn Variables) -> Result<Value<'a>, Fault> {
        Ok(match self {
            Self::Bool(known) => Value::Bool(*known),
            Self::Int(known) => Value::Int(*known),
            Self::Double(known) => Value::Double(*known),
            Self::Text(known) => Value::Text(Cow::Borrowed(known)),
            Self::Variable(variable) => variables.variable(*variable)?,
            Self::Entry { map, key } => variables.entry(*map, key).ok_or(Fault::NoSuchKey)?,
            Self::HasEntry { map, key } => Value::Bool(variables.entry(*map, key).is_some()),
            Self::Not(part) => Value::Bool(!part.is_true(variables)?),
            Self::Negative(part) => negative(part.value(variables)?)?,
            Self::All(parts) => Value::Bool(!absorbed(parts, false, variables)?),
            Self::Any(parts) => Value::Bool(absorbed(parts, true, variables)?),
            Self::Choice(parts) => {
                let [condition, one, other] = &**parts;
                return if condition.is_true(variables)? { one.value(variables) } else { other.value(variables) };
            }
            Self::Compare(comparison, operands) => {
                let [one, other] = &**operands;
                Value::Bool(compare(*comparison, &one.value(variables)?, &other.value(variables)?))
            }
            Self::Arithmetic(operation, operands) => {
                let [one, other] = &**operands;
                calculate(*operation, one.value(variables)?, other.value(variables)?)?
            }
            Self::OneOf(value, choices) => Value::Bool(is_one_of(value, choices, variables)?),
            Self::TextTest(test, operands) => {
                let [text, part] = &**operands;
                Value::Bool(passes(*test, &text.text(variables)?, &part.text(variables)?))
            }
            Self::Matches(text, pattern) => Value::Bool(pattern.regex.is_match(&text.text(variables)?)),
            Self::Size(text) => Value::Int(code_points(&text.text(variables)?)),
            Self::Convert(to, part) => converted(*to, part.value(variables)?)?,
        })
    }

    fn is_true(&self, variables: &dyn Variables) -> Result<bool, Fault> {
        Ok(matches!(self.value(variables)?, Value::Bool(true)))
    }

    fn text<'a>(&'a self, variables: &'a dyn Variables) -> Result<Cow<'a, [u8]>, Fault> {
        match self.value(variables)? {
            Value::Text(text) => Ok(text),
            _ => Err(Fault::Unknown), // the check lets nothing else through
        }
    }
}

/// Whether one of the parts is `decisive`: then the others do not matter, even where they have no value.
fn absorbed(parts: &[Node], decisive: bool, variables: &dyn Variables) -> Result<bool, Fault> {
    let mut fault = None;
    for part in parts {
        match part.is_true(variables) {
            Ok(value) if value == decisive => return Ok(true),
            Ok(_) => {}
            Err(met) => fault = fault.or(Some(met)),
        }
    }
    fault.map_or(Ok(false), Err)
}

fn compare(comparison: Comparison, one: &Value<'_>, other: &Value<'_>) -> bool {
    let order = one.compare(other);
    match comparison {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::NotEqual => order != Some(Ordering::Equal),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => order.is_some_and(Ordering::is_le),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
    }
}

/// The list counts as a value: all of it must have one, also behind the entry that is found.
fn is_one_of(value: &Node, choices: &[Node], variables: &dyn Variables) -> Result<bool, Fault> {
    let value = value.value(variables)?;
    let mut found = false;
    for choice in choices {
        found |= choice.value(variables)?.equals(&value);
    }
    Ok(found)
}

fn passes(test: TextTest, text: &[u8], part: &[u8]) -> bool {
    match test {
        TextTest::StartsWith => text.starts_with(part),
        TextTest::EndsWith => text.ends_with(part),
        TextTest::Contains => memchr::memmem::find(text, part).is_some(),
    }
}

fn negative(value: Value<'_>) -> Result<Value<'_>, Fault> {
    match value {
        Value::Int(number) => number.checked_neg().map(Value::Int).ok_or(Fault::Overflow),
        Value::Double(number) => Ok(Value::Double(-number)),
        other => Ok(other),
    }
}

fn calculate<'a>(operation: Operation, one: Value<'a>, other: Value<'a>) -> Result<Value<'a>, Fault> {
    match (one, other) {
        (Value::Int(one), Value::Int(other)) => whole(operation, one, other).map(Value::Int),
        (Value::Double(one), Value::Double(other)) => Ok(Value::Double(match operation {
            Operation::Add => one + other,
            Operation::Subtract => one - other,
            Operation::Multiply => one * other,
            Operation::Divide => one / other,
            Operation::Remainder => return Err(Fault::Unknown), // the check refuses it
        })),
        (Value::Text(one), Value::Text(other)) => Ok(Value::Text(Cow::Owned([one, other].concat()))),
        _ => Err(Fault::Unknown), // the check lets nothing else through
    }
}

fn whole(operation: Operation, one: i64, other: i64) -> Result<i64, Fault> {
    if other == 0 && matches!(operation, Operation::Divide | Operation::Remainder) {
        return Err(Fault::DivisionByZero);
    }
    let result = match operation {
        Operation::Add => one.checked_add(other),
        Operation::Subtract => one.checked_sub(other),
        Operation::Multiply => one.checked_mul(other),
        Operation::Divide => one.checked_div(other),
        Operation::Remainder => one.checked_rem(other),
    };
    result.ok_or(Fault::Overflow)
}

/// Bytes that begin a character.
fn code_points(text: &[u8]) -> i64 {
    let count = text.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn converted(to: Type, value: Value<'_>) -> Result<Value<'_>, Fault> {
    Ok(match (to, value) {
        (Type::Int, Value::Double(double)) => Value::Int(truncated(double)?),
        (Type::Int, Value::Text(text)) => Value::Int(parsed_int(&text)?),
        (Type::Double, Value::Int(int)) => Value::Double(int as f64),
        (Type::Double, Value::Text(text)) => Value::Double(parsed_double(&text)?),
        (Type::Text, Value::Int(int)) => Value::Text(Cow::Owned(itoa::Buffer::new().format(int).into())),
        (Type::Text, Value::Double(double)) => Value::Text(Cow::Owned(double.to_string().into_bytes())),
        (Type::Text, Value::Bool(true)) => Value::Text(Cow::Borrowed(b"true")),
        (Type::Text, Value::Bool(false)) => Value::Text(Cow::Borrowed(b"false")),
        (_, same) => same,
    })
}
