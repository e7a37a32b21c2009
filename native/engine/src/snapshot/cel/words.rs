//! Expressions in words: the parts of one as text, and which of them keeps it from holding.

use std::fmt::Write;

use super::environment::{Environment, Variables};
use super::node::{Node, Operation};
use super::value::Value;

/// Values that an answer tells about.
const MAX_VALUES: usize = 4;

/// Why a condition does not hold; `None` when it does.
pub(super) fn obstacle(root: &Node, environment: &Environment, variables: &dyn Variables) -> Option<String> {
    if matches!(root.value(variables), Ok(Value::Bool(true))) {
        return None;
    }
    let part = culprit(root, variables);
    let mut words = format!("`{}` ", text(part, environment));
    match part.value(variables) {
        Ok(_) => words.push_str("is false"),
        Err(fault) => {
            let _ = write!(words, "cannot be decided: {}", fault.words());
        }
    }
    let values = values(part, environment, variables);
    if !values.is_empty() {
        let _ = write!(words, " ({})", values.join(", "));
    }
    Some(words)
}

/// The smallest part in a chain of `&&` that decides: one that is false, else one without a value.
fn culprit<'a>(node: &'a Node, variables: &dyn Variables) -> &'a Node {
    let Node::All(parts) = node else { return node };
    let is_false = |part: &&Node| matches!(part.value(variables), Ok(Value::Bool(false)));
    let found = parts.iter().find(is_false).or_else(|| parts.iter().find(|part| part.value(variables).is_err()));
    found.map_or(node, |part| culprit(part, variables))
}

fn values(part: &Node, environment: &Environment, variables: &dyn Variables) -> Vec<String> {
    let mut told = Vec::new();
    part.visit(&mut |node| {
        let words = match node {
            Node::Variable(_) | Node::Entry { .. } => match node.value(variables) {
                Ok(value) => format!("{} is {}", text(node, environment), quoted(&value)),
                Err(_) if matches!(node, Node::Entry { .. }) => format!("{} is absent", text(node, environment)),
                Err(_) => format!("{} is not known", text(node, environment)),
            },
            Node::HasEntry { map, key } => match variables.entry(*map, key) {
                Some(value) => format!("{}['{key}'] is {}", environment.path(*map), quoted(&value)),
                None => format!("{}['{key}'] is absent", environment.path(*map)),
            },
            _ => return,
        };
        if told.len() < MAX_VALUES && !told.contains(&words) {
            told.push(words);
        }
    });
    told
}

fn quoted(value: &Value<'_>) -> String {
    match value {
        Value::Bool(known) => known.to_string(),
        Value::Int(known) => known.to_string(),
        Value::Double(known) => known.to_string(),
        Value::Text(known) => format!("'{}'", String::from_utf8_lossy(known)),
    }
}

/// A part as it could have been written.
pub(super) fn text(node: &Node, environment: &Environment) -> String {
    let within = |part: &Node| text(part, environment);
    let joined = |parts: &[Node], sign: &str, least: u8| {
        let parts: Vec<String> = parts.iter().map(|part| bracketed(part, least, environment)).collect();
        parts.join(sign)
    };
    match node {
        Node::Bool(known) => known.to_string(),
        Node::Int(known) => known.to_string(),
        Node::Double(known) => format!("{known:?}"),
        Node::Text(known) => format!("'{}'", String::from_utf8_lossy(known).replace('\\', "\\\\").replace('\'', "\\'")),
        Node::Variable(variable) => environment.path(*variable).to_owned(),
        Node::Entry { map, key } => format!("{}['{key}']", environment.path(*map)),
        Node::HasEntry { map, key } => format!("'{key}' in {}", environment.path(*map)),
        Node::Not(part) => format!("!{}", bracketed(part, 7, environment)),
        Node::Negative(part) => format!("-{}", bracketed(part, 7, environment)),
        Node::All(parts) => joined(parts, " && ", 3),
        Node::Any(parts) => joined(parts, " || ", 2),
        Node::Choice(parts) => {
            let [condition, one, other] = &**parts;
            format!("{} ? {} : {}", bracketed(condition, 2, environment), bracketed(one, 2, environment), within(other))
        }
        Node::Compare(comparison, parts) => joined(&**parts, &format!(" {} ", comparison.sign()), 5),
        Node::Arithmetic(operation, parts) => {
            let [one, other] = &**parts;
            let own = rank(node);
            let (one, other) = (bracketed(one, own, environment), bracketed(other, own + 1, environment));
            format!("{one} {} {other}", operation.sign())
        }
        Node::OneOf(value, choices) => {
            format!("{} in [{}]", bracketed(value, 5, environment), joined(choices, ", ", 0))
        }
        Node::TextTest(test, parts) => {
            let [value, part] = &**parts;
            format!("{}.{}({})", bracketed(value, 8, environment), test.name(), within(part))
        }
        Node::Matches(value, pattern) => {
            let pattern = text(&Node::Text(pattern.text.as_bytes().into()), environment);
            format!("{}.matches({pattern})", bracketed(value, 8, environment))
        }
        Node::Size(part) => format!("size({})", within(part)),
        Node::Convert(to, part) => format!("{}({})", to.name(), within(part)),
    }
}

fn bracketed(node: &Node, least: u8, environment: &Environment) -> String {
    let text = text(node, environment);
    if rank(node) < least { format!("({text})") } else { text }
}

/// How tightly a part holds together; the order is the grammar's.
fn rank(node: &Node) -> u8 {
    match node {
        Node::Choice(_) => 0,
        Node::Any(_) => 2,
        Node::All(_) => 3,
        Node::Compare(..) => 4,
        Node::OneOf(..) | Node::HasEntry { .. } => 4,
        Node::Arithmetic(Operation::Add | Operation::Subtract, _) => 5,
        Node::Arithmetic(..) => 6,
        Node::Not(_) | Node::Negative(_) => 7,
        _ => 8,
    }
}
