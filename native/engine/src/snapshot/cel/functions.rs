//! The functions that an expression may call.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};
use regex::bytes::RegexBuilder;

use super::check::{Checker, Typed, path_of};
use super::mistake::Mistake;
use super::node::{Node, Pattern, TextTest};
use super::value::Type;

const KNOWN: &str = "startsWith, endsWith, contains, matches, size, has, int, double, string";
/// A compiled regex may not take more, as in routes.
const REGEX_BYTES: usize = 256 * 1024;

impl Checker<'_> {
    /// `text.startsWith('a')`, `size(text)`.
    pub(super) fn function(&mut self, at: &IdedExpr, call: &CallExpr) -> Result<Typed, Mistake> {
        let CallExpr { func_name: name, target, args } = call;
        let is_member = target.is_some();
        let all: Vec<&IdedExpr> = target.iter().map(|target| &**target).chain(args).collect();
        let test = text_test(name);
        match (&*all, test) {
            ([text, part], Some(test)) if is_member => {
                let by = format!("`{name}`");
                let parts = [self.part_of(text, Type::Text, &by)?, self.part_of(part, Type::Text, &by)?];
                Ok((Node::TextTest(test, Box::new(parts)), Type::Bool))
            }
            ([text, pattern], None) if name == "matches" => {
                let text = self.part_of(text, Type::Text, "`matches`")?;
                Ok((Node::Matches(Box::new(text), self.pattern(pattern)?), Type::Bool))
            }
            ([text], None) if name == "size" => {
                if path_of(&text.expr).is_some_and(|path| self.map(&path).is_some())
                    || matches!(text.expr, Expr::List(_))
                {
                    return Err(self.mistake(at, "`size` counts the characters of a string only"));
                }
                let text = self.part_of(text, Type::Text, "`size`")?;
                Ok((Node::Size(Box::new(text)), Type::Int))
            }
            ([part], None) if !is_member && conversion(name).is_some() => {
                let to = conversion(name).unwrap_or(Type::Text);
                let (part, from) = self.part(part)?;
                if from == Type::Bool && to != Type::Text {
                    return Err(self.mistake(at, format!("`{name}` takes no bool")));
                }
                Ok((if from == to { part } else { Node::Convert(to, Box::new(part)) }, to))
            }
            _ => Err(self.uncallable(
                at,
                name,
                is_member,
                test.is_some() || KNOWN.split(", ").any(|known| known == name),
            )),
        }
    }

    fn uncallable(&self, at: &IdedExpr, name: &str, is_member: bool, is_known: bool) -> Mistake {
        let (message, hint) = if !is_known {
            (format!("there is no function `{name}`"), format!("known: {KNOWN}"))
        } else if name == "has" {
            let hint = "write has(request.headers.name), or 'name' in request.headers".to_owned();
            ("`has` takes one entry of a map".to_owned(), hint)
        } else if text_test(name).is_some() {
            (format!("`{name}` is asked of a text, with one text"), format!("write text.{name}('…')"))
        } else {
            let wanted = if name == "matches" { "a text and a pattern" } else { "one value" };
            let form =
                if is_member && name != "matches" { format!("{name}(value)") } else { format!("text.{name}('…')") };
            (format!("`{name}` takes {wanted}"), format!("write {form}"))
        };
        self.mistake(at, message).hint(hint)
    }

    /// A pattern is compiled once, so it must stand in the text. It matches anywhere in the value unless it has anchors.
    fn pattern(&self, expression: &IdedExpr) -> Result<Pattern, Mistake> {
        let Expr::Literal(LiteralValue::String(text)) = &expression.expr else {
            return Err(self.mistake(expression, "the pattern of `matches` must be a text in quotes"));
        };
        let text = text.inner();
        let built = RegexBuilder::new(text).unicode(false).size_limit(REGEX_BYTES).dfa_size_limit(REGEX_BYTES).build();
        match built {
            Ok(regex) => Ok(Pattern { text: text.into(), regex }),
            Err(error) => {
                let said = error.to_string();
                let reason = said.lines().last().unwrap_or_default().trim_start_matches("error: ");
                Err(self.mistake(expression, format!("the regex does not compile: {reason}")))
            }
        }
    }
}

fn text_test(name: &str) -> Option<TextTest> {
    [TextTest::StartsWith, TextTest::EndsWith, TextTest::Contains].into_iter().find(|test| test.name() == name)
}

fn conversion(name: &str) -> Option<Type> {
    [Type::Int, Type::Double, Type::Text].into_iter().find(|kind| kind.name() == name)
}
