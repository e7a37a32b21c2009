//! Expressions made by chance are decided as the interpreter decides them that comes with the grammar, and no text that
//! somebody may write brings the compiler down.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use cel::{Context, Env, Value as Other};
use proptest::prelude::*;
use weft_engine::snapshot::cel::{Cel, Environment, Fault, Kind, Type, Value, Variable, Variables};

static ENVIRONMENT: Environment = Environment {
    variables: &[
        Variable { path: "number", kind: Kind::Value(Type::Int) },
        Variable { path: "share", kind: Kind::Value(Type::Double) },
        Variable { path: "text", kind: Kind::Value(Type::Text) },
        Variable { path: "entries", kind: Kind::Map },
    ],
};

struct Given {
    number: i64,
    share: f64,
    text: String,
}

impl Variables for Given {
    fn variable(&self, variable: u8) -> Result<Value<'_>, Fault> {
        match variable {
            0 => Ok(Value::Int(self.number)),
            1 => Ok(Value::Double(self.share)),
            2 => Ok(Value::Text(Cow::Borrowed(self.text.as_bytes()))),
            _ => Err(Fault::Unknown),
        }
    }

    fn entry(&self, _map: u8, key: &str) -> Option<Value<'_>> {
        (key == "known").then_some(Value::Text(Cow::Borrowed(self.text.as_bytes())))
    }
}

fn int() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        (-3_i64..4).prop_map(|number| number.to_string()),
        Just("number".to_owned()),
        Just("9223372036854775807".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), "[-+*/%]", inner.clone()).prop_map(|(one, sign, other)| format!("({one} {sign} {other})")),
            inner.prop_map(|part| format!("-({part})")),
            Just("size(text)".to_owned()),
            Just("int(share)".to_owned()),
        ]
    })
    .boxed()
}

/// Without NaN: there the interpreter calls an order an error, while the language definition calls it false.
fn double() -> BoxedStrategy<String> {
    let leaf = prop_oneof![Just("share".to_owned()), Just("0.0".to_owned()), Just("2.5".to_owned())];
    leaf.prop_recursive(2, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), "[-+*]", inner).prop_map(|(one, sign, other)| format!("({one} {sign} {other})")),
            int().prop_map(|int| format!("double({int})")),
        ]
    })
    .boxed()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![
        "[abä]{0,2}".prop_map(|text| format!("'{text}'")),
        Just("text".to_owned()),
        Just("entries['known']".to_owned()),
        Just("entries['none']".to_owned()),
        "[ab]{0,1}".prop_map(|text| format!("(text + '{text}')")),
        (-2_i64..3).prop_map(|number| format!("string({number})")),
    ]
    .boxed()
}

fn condition() -> BoxedStrategy<String> {
    let sign = || prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let leaf = prop_oneof![
        (int(), sign(), int()).prop_map(|(one, sign, other)| format!("{one} {sign} {other}")),
        (double(), sign(), double()).prop_map(|(one, sign, other)| format!("{one} {sign} {other}")),
        (int(), sign(), double()).prop_map(|(one, sign, other)| format!("{one} {sign} {other}")),
        (text(), sign(), text()).prop_map(|(one, sign, other)| format!("{one} {sign} {other}")),
        (text(), prop::sample::select(vec!["startsWith", "endsWith", "contains"]), text())
            .prop_map(|(one, name, other)| format!("{one}.{name}({other})")),
        (int(), int(), int()).prop_map(|(value, one, other)| format!("{value} in [{one}, {other}]")),
        Just("'known' in entries".to_owned()),
        Just("has(entries.none)".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one}) && ({other})")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one}) || ({other})")),
            inner.clone().prop_map(|part| format!("!({part})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(of, one, other)| format!("({of}) ? ({one}) : ({other})")),
        ]
    })
    .boxed()
}

/// What the interpreter says; an error of the evaluation is `None`.
fn interpreted(source: &str, given: &Given) -> Result<Option<bool>, String> {
    let environment = Arc::new(Env::stdlib());
    let program = environment.compile(source).map_err(|errors| errors.to_string())?;
    let mut context = Context::with_env(environment);
    context.add_variable_from_value("number", given.number);
    context.add_variable_from_value("share", given.share);
    context.add_variable_from_value("text", given.text.clone());
    context.add_variable_from_value("entries", HashMap::from([("known".to_owned(), given.text.clone())]));
    match program.execute(&context) {
        Ok(Other::Bool(value)) => Ok(Some(value)),
        Ok(other) => Err(format!("{other:?}")),
        Err(_) => Ok(None),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn conditions_are_decided_as_by_the_interpreter(
        source in condition(),
        number in -3_i64..4,
        share in prop::sample::select(vec![0.0, -1.5, 2.0, 2.25]),
        text in "[abä]{0,3}",
    ) {
        let given = Given { number, share, text };
        let compiled = Cel::compile(&source, &ENVIRONMENT, &[Type::Bool]);
        prop_assert!(compiled.is_ok(), "{source}: {}", compiled.unwrap_err());
        let compiled = compiled.unwrap();
        let ours = match compiled.value(&given) {
            Ok(Value::Bool(value)) => Ok(Some(value)),
            Ok(other) => Err(format!("{other:?}")),
            Err(_) => Ok(None),
        };
        prop_assert_eq!(&ours, &interpreted(&source, &given), "{}", source);
        prop_assert_eq!(compiled.obstacle(&given).is_none(), ours == Ok(Some(true)));
    }

    #[test]
    fn no_text_brings_the_compiler_down(
        parts in prop::collection::vec(prop::sample::select(vec![
            "(", ")", "[", "]", "{", "}", "!", "-", "&&", "||", "?", ":", ".", ",", "==", "<", "in", "1", "2.5", "'a'", "'",
            "\"", "text", "entries", "has", "size", "int", "0x", "u", "null", "r'", "'''", "\\", "\n", "ä", " ", "=", "@", "`a`",
            "all", "x", "1e999", "99999999999999999999",
        ]), 0..24),
    ) {
        let _ = Cel::compile(&parts.concat(), &ENVIRONMENT, &[Type::Bool]);
    }
}
