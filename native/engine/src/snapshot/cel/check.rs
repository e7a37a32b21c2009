//! Text → tree, with the type of each part; a mistake is told at its place.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SelectExpr, SourceInfo, operators};
use cel::parser::{ParseErrors, Parser};

use super::environment::{Environment, Kind};
use super::mistake::Mistake;
use super::node::{Comparison, Node, Operation};
use super::value::Type;

/// Longer texts are programs and not conditions.
const MAX_BYTES: usize = 4096;
/// Parts within parts; what evaluation and this check go down by recursion.
const MAX_DEPTH: usize = 64;

/// A part with its type.
pub(super) type Typed = (Node, Type);

/// Compiles a text.
pub(super) fn check(source: &str, environment: &'static Environment, wanted: &[Type]) -> Result<Node, Mistake> {
    if source.len() > MAX_BYTES {
        return Err(Mistake::new(format!("is longer than {MAX_BYTES} bytes")).hint("make several routes of it"));
    }
    shallow(source)?;
    let (parsed, places) = Parser::new().parse_with_source_info(source).map_err(|errors| unread(source, &errors))?;
    let mut checker = Checker { source, places, environment, depth: 0 };
    let (node, found) = checker.part(&parsed)?;
    if wanted.contains(&found) {
        return Ok(node);
    }
    let names: Vec<&str> = wanted.iter().map(|wanted| wanted.name()).collect();
    let mistake = Mistake::new(format!("is of type {}, wanted {}", found.name(), names.join(" or ")));
    Err(if wanted == [Type::Bool] { mistake.hint("compare it with something") } else { mistake })
}

/// The parser goes down by recursion, so nobody may send it down far: brackets and chains of operators are counted before.
fn shallow(source: &str) -> Result<(), Mistake> {
    let mut open = 0_usize;
    let mut operators = 0_usize;
    for (at, byte) in source.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            b'+' | b'-' | b'*' | b'/' | b'%' | b'?' | b'.' | b'<' | b'>' | b'=' => operators += 1,
            // Lists and logic are flat: what stands between their signs begins anew.
            b',' | b'&' | b'|' => operators = 0,
            _ => {}
        }
        if open > MAX_DEPTH / 2 || operators > MAX_DEPTH * 2 {
            let mistake = Mistake::new("is nested too deeply").hint("split it with `&&`, or make several routes of it");
            return Err(mistake.at(source, at));
        }
    }
    Ok(())
}

/// The first thing that is no CEL.
fn unread(source: &str, errors: &ParseErrors) -> Mistake {
    let Some(first) = errors.errors.first() else { return Mistake::new("cannot be read") };
    let place = |number: isize| usize::try_from(number).unwrap_or(1).max(1);
    let (line, column) = first.pos;
    let said = first.msg.trim_start_matches("Syntax error: ");
    let mistake = Mistake::new(format!("cannot be read: {said}"));
    let hint = if source.contains(" and ") || source.contains(" or ") || source.contains(" not ") {
        Some("write `&&`, `||` and `!`".to_owned())
    } else if said.contains("has() macro") {
        Some("write has(map.name), or 'name' in map".to_owned())
    } else if said.contains("input '='") || said.contains("error at: '= '") {
        Some("write `==` to compare".to_owned())
    } else {
        None
    };
    Mistake { line: place(line), column: place(column), hint, ..mistake }
}

pub(super) struct Checker<'a> {
    source: &'a str,
    places: SourceInfo,
    pub(super) environment: &'static Environment,
    depth: usize,
}

impl Checker<'_> {
    /// A mistake at an expression.
    pub(super) fn mistake(&self, at: &IdedExpr, message: impl Into<String>) -> Mistake {
        let start = self.places.offset_for(at.id).map_or(0, |(start, _)| start as usize);
        Mistake::new(message).at(self.source, start)
    }

    /// A part and its type.
    pub(super) fn part(&mut self, expression: &IdedExpr) -> Result<Typed, Mistake> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.mistake(expression, "is nested too deeply"));
        }
        let typed = match &expression.expr {
            Expr::Literal(literal) => self.literal(expression, literal),
            Expr::Ident(name) => self.name(expression, name),
            Expr::Select(select) => self.select(expression, select),
            Expr::Call(call) => self.call(expression, call),
            Expr::List(_) => Err(self.mistake(expression, "a list may only stand behind `in`")),
            Expr::Map(_) | Expr::Struct(_) => Err(self.mistake(expression, "maps and messages cannot be made here")),
            Expr::Comprehension(_) => {
                let hint = "write what it asks with `in`, `&&` and `||`";
                Err(self.mistake(expression, "there is nothing here to go through one by one").hint(hint))
            }
            Expr::Unspecified => Err(self.mistake(expression, "cannot be read")),
        };
        self.depth -= 1;
        typed
    }

    /// A part that must be of a type.
    pub(super) fn part_of(&mut self, expression: &IdedExpr, wanted: Type, by: &str) -> Result<Node, Mistake> {
        let (node, found) = self.part(expression)?;
        if found == wanted {
            return Ok(node);
        }
        let message = format!("{by} takes {}, not {}", wanted.name(), found.name());
        let mistake = self.mistake(expression, message);
        Err(match wanted {
            Type::Text => mistake.hint("write string(…) around it"),
            Type::Bool => mistake.hint("compare it with something"),
            Type::Int | Type::Double => mistake,
        })
    }

    fn literal(&self, at: &IdedExpr, literal: &LiteralValue) -> Result<Typed, Mistake> {
        Ok(match literal {
            LiteralValue::Boolean(known) => (Node::Bool(*known.inner()), Type::Bool),
            LiteralValue::Int(known) => (Node::Int(*known.inner()), Type::Int),
            LiteralValue::Double(known) => (Node::Double(*known.inner()), Type::Double),
            LiteralValue::String(known) => (Node::Text(known.inner().as_bytes().into()), Type::Text),
            LiteralValue::UInt(known) => {
                let hint = format!("write {} without the u", known.inner());
                return Err(self.mistake(at, "there are no unsigned integers here").hint(hint));
            }
            LiteralValue::Bytes(_) => {
                return Err(self.mistake(at, "there are no bytes here").hint("write it without the b"));
            }
            LiteralValue::Null => {
                return Err(self.mistake(at, "nothing here is null").hint("ask with `in` whether an entry is there"));
            }
        })
    }

    /// `request.path`, or the name of a map.
    fn name(&self, at: &IdedExpr, path: &str) -> Result<Typed, Mistake> {
        match self.environment.find(path) {
            Some((place, variable)) => match variable.kind {
                Kind::Value(kind) => Ok((Node::Variable(place), kind)),
                Kind::Map | Kind::LowerCaseMap => {
                    let hint = format!("name an entry, as {path}['name'], or ask 'name' in {path}");
                    Err(self.mistake(at, format!("`{path}` is a map")).hint(hint))
                }
            },
            None => {
                let hint = format!("known: {}", self.environment.known());
                Err(self.mistake(at, format!("there is no `{path}`")).hint(hint))
            }
        }
    }

    /// `request.path`, `request.headers.host` or `has(request.headers.host)`.
    fn select(&self, at: &IdedExpr, SelectExpr { operand, field, test }: &SelectExpr) -> Result<Typed, Mistake> {
        let Some(path) = path_of(&operand.expr) else {
            return Err(self.mistake(at, format!("only a name has parts such as `{field}`")));
        };
        if let Some(map) = self.map(&path) {
            let key = self.key(at, map, field)?;
            return Ok(if *test {
                (Node::HasEntry { map, key }, Type::Bool)
            } else {
                (Node::Entry { map, key }, Type::Text)
            });
        }
        let whole = [&path, ".", field].concat();
        let (node, kind) = self.name(at, &whole)?;
        // What is declared always has a value, or none that could be asked for.
        Ok(if *test { (Node::Bool(true), Type::Bool) } else { (node, kind) })
    }

    /// The place of a map.
    pub(super) fn map(&self, path: &str) -> Option<u8> {
        self.environment.find(path).filter(|(_, found)| !matches!(found.kind, Kind::Value(_))).map(|(place, _)| place)
    }

    /// A key as the map knows it.
    pub(super) fn key(&self, at: &IdedExpr, map: u8, key: &str) -> Result<Box<str>, Mistake> {
        let kind = self.environment.variables.get(usize::from(map)).map(|variable| variable.kind);
        if kind == Some(Kind::LowerCaseMap) && key.bytes().any(|byte| byte.is_ascii_uppercase()) {
            let message = format!("the names of `{}` are in lower case", self.environment.path(map));
            return Err(self.mistake(at, message).hint(format!("write '{}'", key.to_ascii_lowercase())));
        }
        Ok(key.into())
    }

    fn call(&mut self, at: &IdedExpr, call: &CallExpr) -> Result<Typed, Mistake> {
        let CallExpr { func_name, target, args } = call;
        let [one, other] = match (target, &**args) {
            (None, [condition, one, other]) if func_name == operators::CONDITIONAL => {
                return self.choice(at, condition, one, other);
            }
            (None, [one, other]) => [one, other],
            (None, [part]) if func_name == operators::LOGICAL_NOT => {
                let part = self.part_of(part, Type::Bool, "`!`")?;
                return Ok((Node::Not(Box::new(part)), Type::Bool));
            }
            (None, [part]) if func_name == operators::NEGATE => return self.negative(at, part),
            _ => return self.function(at, call),
        };
        match func_name.as_str() {
            operators::LOGICAL_AND | operators::LOGICAL_OR => self.logic(func_name, [one, other]),
            operators::INDEX => self.entry(at, one, other),
            operators::IN => self.within(at, one, other),
            name => match (comparison(name), operation(name)) {
                (Some(comparison), _) => self.compare(at, comparison, [one, other]),
                (None, Some(operation)) => self.calculate(at, operation, [one, other]),
                (None, None) => self.function(at, call),
            },
        }
    }

    fn choice(
        &mut self,
        at: &IdedExpr,
        condition: &IdedExpr,
        one: &IdedExpr,
        other: &IdedExpr,
    ) -> Result<Typed, Mistake> {
        let condition = self.part_of(condition, Type::Bool, "`?`")?;
        let ((one, kind), (other, second)) = (self.part(one)?, self.part(other)?);
        if kind != second {
            let message = format!("`? :` chooses between {} and {}", kind.name(), second.name());
            return Err(self.mistake(at, message).hint("make both of one type"));
        }
        Ok((Node::Choice(Box::new([condition, one, other])), kind))
    }

    fn negative(&mut self, at: &IdedExpr, part: &IdedExpr) -> Result<Typed, Mistake> {
        let (part, kind) = self.part(part)?;
        if !kind.is_number() {
            return Err(self.mistake(at, format!("`-` takes a number, not {}", kind.name())));
        }
        Ok((Node::Negative(Box::new(part)), kind))
    }

    /// Chains come as balanced trees: they are laid flat.
    fn logic(&mut self, operator: &str, operands: [&IdedExpr; 2]) -> Result<Typed, Mistake> {
        let is_all = operator == operators::LOGICAL_AND;
        let mut parts = Vec::new();
        for operand in operands {
            match self.part_of(operand, Type::Bool, if is_all { "`&&`" } else { "`||`" })? {
                Node::All(inner) if is_all => parts.extend(inner),
                Node::Any(inner) if !is_all => parts.extend(inner),
                part => parts.push(part),
            }
        }
        let parts = parts.into_boxed_slice();
        Ok((if is_all { Node::All(parts) } else { Node::Any(parts) }, Type::Bool))
    }

    fn compare(
        &mut self,
        at: &IdedExpr,
        comparison: Comparison,
        [one, other]: [&IdedExpr; 2],
    ) -> Result<Typed, Mistake> {
        let ((one, kind), (other, second)) = (self.part(one)?, self.part(other)?);
        if !kind.compares_with(second) {
            let message = format!("`{}` compares {} with {}", comparison.sign(), kind.name(), second.name());
            let mistake = self.mistake(at, message);
            let is_text = [kind, second].contains(&Type::Text);
            return Err(match [kind, second].into_iter().find(|kind| kind.is_number()) {
                Some(number) if is_text => mistake.hint(format!("write {}(…) around the string", number.name())),
                _ => mistake,
            });
        }
        Ok((Node::Compare(comparison, Box::new([one, other])), Type::Bool))
    }

    fn calculate(
        &mut self,
        at: &IdedExpr,
        operation: Operation,
        [one, other]: [&IdedExpr; 2],
    ) -> Result<Typed, Mistake> {
        let ((one, kind), (other, second)) = (self.part(one)?, self.part(other)?);
        let works = match kind {
            Type::Int => true,
            Type::Double => operation != Operation::Remainder,
            Type::Text => operation == Operation::Add,
            Type::Bool => false,
        };
        if kind != second || !works {
            let message = format!("`{}` does not take {} and {}", operation.sign(), kind.name(), second.name());
            let mistake = self.mistake(at, message);
            let mixed = kind != second && kind.is_number() && second.is_number();
            return Err(if mixed {
                mistake.hint("write double(…) around the int, or 2.0 instead of 2")
            } else {
                mistake
            });
        }
        Ok((Node::Arithmetic(operation, Box::new([one, other])), kind))
    }

    /// `request.headers['x-tier']`.
    fn entry(&mut self, at: &IdedExpr, map: &IdedExpr, key: &IdedExpr) -> Result<Typed, Mistake> {
        let Some(map) = path_of(&map.expr).and_then(|path| self.map(&path)) else {
            return Err(self
                .mistake(at, "only maps have entries")
                .hint(format!("known: {}", self.environment.known())));
        };
        let key = self.literal_key(map, key)?;
        Ok((Node::Entry { map, key }, Type::Text))
    }

    /// `'x-tier' in request.headers`, `request.method in ['GET', 'HEAD']`.
    fn within(&mut self, at: &IdedExpr, value: &IdedExpr, all: &IdedExpr) -> Result<Typed, Mistake> {
        if let Some(map) = path_of(&all.expr).and_then(|path| self.map(&path)) {
            let key = self.literal_key(map, value)?;
            return Ok((Node::HasEntry { map, key }, Type::Bool));
        }
        let Expr::List(list) = &all.expr else {
            return Err(self.mistake(at, "`in` looks in a map or in a list").hint("write the list, as ['a', 'b']"));
        };
        let (value, kind) = self.part(value)?;
        let mut choices = Vec::with_capacity(list.elements.len());
        for element in &list.elements {
            let (choice, found) = self.part(element)?;
            if !kind.compares_with(found) {
                let message = format!("the list holds {} where {} is looked for", found.name(), kind.name());
                return Err(self.mistake(element, message));
            }
            choices.push(choice);
        }
        Ok((Node::OneOf(Box::new(value), choices.into()), Type::Bool))
    }

    /// What is read must be known beforehand: records keep it for `why`.
    fn literal_key(&self, map: u8, key: &IdedExpr) -> Result<Box<str>, Mistake> {
        match &key.expr {
            Expr::Literal(LiteralValue::String(text)) => self.key(key, map, text.inner()),
            _ => Err(self.mistake(key, format!("a name in `{}` must be a text in quotes", self.environment.path(map)))),
        }
    }
}

/// The dotted name that an expression is.
pub(super) fn path_of(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(SelectExpr { operand, field, test: false }) => {
            Some([&path_of(&operand.expr)?, ".", field].concat())
        }
        _ => None,
    }
}

fn comparison(operator: &str) -> Option<Comparison> {
    Some(match operator {
        operators::EQUALS => Comparison::Equal,
        operators::NOT_EQUALS => Comparison::NotEqual,
        operators::LESS => Comparison::Less,
        operators::LESS_EQUALS => Comparison::LessOrEqual,
        operators::GREATER => Comparison::Greater,
        operators::GREATER_EQUALS => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn operation(operator: &str) -> Option<Operation> {
    Some(match operator {
        operators::ADD => Operation::Add,
        operators::SUBSTRACT => Operation::Subtract,
        operators::MULTIPLY => Operation::Multiply,
        operators::DIVIDE => Operation::Divide,
        operators::MODULO => Operation::Remainder,
        _ => return None,
    })
}
