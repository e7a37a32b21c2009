use std::borrow::Cow;

use super::*;

const PATH: u8 = 0;
const SIZE: u8 = 1;
const RATE: u8 = 2;
const HEADERS: u8 = 3;
const LOST: u8 = 4;

static ENVIRONMENT: Environment = Environment {
    variables: &[
        Variable { path: "request.path", kind: Kind::Value(Type::Text) },
        Variable { path: "request.size", kind: Kind::Value(Type::Int) },
        Variable { path: "rate", kind: Kind::Value(Type::Double) },
        Variable { path: "request.headers", kind: Kind::LowerCaseMap },
        Variable { path: "lost", kind: Kind::Value(Type::Bool) },
    ],
};

struct Request;

impl Variables for Request {
    fn variable(&self, variable: u8) -> Result<Value<'_>, Fault> {
        Ok(match variable {
            PATH => Value::Text(Cow::Borrowed("/api/größe".as_bytes())),
            SIZE => Value::Int(1_000),
            RATE => Value::Double(0.5),
            LOST => return Err(Fault::Unknown),
            _ => panic!("no value: {variable}"),
        })
    }

    fn entry(&self, map: u8, key: &str) -> Option<Value<'_>> {
        assert_eq!(map, HEADERS);
        let known: &[u8] = match key {
            "x-tier" => b"gold",
            "age" => b"42",
            "empty" => b"",
            "raw" => b"\xff\xfe",
            _ => return None,
        };
        Some(Value::Text(Cow::Borrowed(known)))
    }
}

fn value(source: &str) -> Result<Value<'static>, Fault> {
    let all = [Type::Bool, Type::Int, Type::Double, Type::Text];
    let cel = Cel::compile(source, &ENVIRONMENT, &all).unwrap_or_else(|mistake| panic!("{source}: {mistake}"));
    cel.value(&Request).map(|value| match value {
        Value::Bool(known) => Value::Bool(known),
        Value::Int(known) => Value::Int(known),
        Value::Double(known) => Value::Double(known),
        Value::Text(known) => Value::Text(Cow::Owned(known.into_owned())),
    })
}

fn condition(source: &str) -> Result<Cel, Mistake> {
    Cel::compile(source, &ENVIRONMENT, &[Type::Bool])
}

fn mistake(source: &str) -> String {
    condition(source).expect_err(source).to_string()
}

#[test]
fn conditions_are_decided_as_the_language_defines_it() {
    for source in [
        "true",
        "!false",
        "!!true",
        "request.headers['x-tier'] == 'gold' && request.path.startsWith('/api')",
        "request.headers['x-tier'] != \"silver\"",
        "request.path.endsWith('größe') && request.path.contains('/gr')",
        "!request.path.startsWith('/other')",
        // Anywhere in the text, unless it is anchored.
        "request.path.matches('^/api/') && matches(request.path, 'pi') && !request.path.matches('^pi')",
        "size(request.path) == 10 && request.path.size() == 10 && size(request.headers['empty']) == 0",
        "request.size > 999 && request.size >= 1000 && request.size < 1001 && request.size <= 1000",
        "rate < 1 && rate >= 0.5 && 1 > rate && 2.0 == 2 && 9223372036854775807 < 9223372036854775808.0",
        "request.size + 1 == 1001 && request.size - 1 == 999 && request.size * 2 == 2000",
        "7 / 2 == 3 && -7 / 2 == -3 && 7 % 3 == 1 && -7 % 3 == -1",
        "rate * 2.0 == 1.0 && 1.0 / 0.0 > 1e308 && -(rate) == -0.5",
        "'a' + 'b' == 'ab' && 'a' < 'b' && 'B' < 'a' && false < true",
        "request.path in ['/x', '/api/größe'] && !(request.size in [1, 2.5]) && 1000.0 in [request.size]",
        "'x-tier' in request.headers && !('x-none' in request.headers)",
        "has(request.headers.age) && !has(request.headers.none) && request.headers.age == '42'",
        "int(request.headers['age']) > 41 && double(request.headers['age']) == 42.0 && string(42) == '42'",
        "int(2.9) == 2 && int(-2.9) == -2 && double(2) == 2.0 && string(true) == 'true' && string(2.5) == '2.5'",
        "(request.size > 10 ? 'big' : 'small') == 'big' && (false ? 1 : 2) == 2",
        "true || false && false",
        "(1 + 2) * 3 == 9 && 1 + 2 * 3 == 7",
        "request.headers['raw'] != 'x' && size(request.headers['raw']) == 2",
        "0x10 == 16 && 1e3 == 1000.0",
        "r'\\d' == '\\\\d' && 'it\\'s' == \"it's\" && 'a\\nb'.contains('\\n')",
    ] {
        assert_eq!(value(source), Ok(Value::Bool(true)), "{source}");
    }
}

#[test]
fn errors_are_absorbed_by_what_decides_without_them() {
    for (source, wanted) in [
        ("lost && false", Ok(Value::Bool(false))),
        ("false && lost", Ok(Value::Bool(false))),
        ("lost || true", Ok(Value::Bool(true))),
        ("true || lost", Ok(Value::Bool(true))),
        ("lost && true", Err(Fault::Unknown)),
        ("lost || false", Err(Fault::Unknown)),
        ("!lost", Err(Fault::Unknown)),
        ("request.headers['x-none'] == 'a' || request.size == 1000", Ok(Value::Bool(true))),
        ("request.headers['x-none'] == 'a'", Err(Fault::NoSuchKey)),
        ("request.headers['x-none'] != 'a'", Err(Fault::NoSuchKey)),
        ("false ? lost : true", Ok(Value::Bool(true))),
        ("lost ? true : true", Err(Fault::Unknown)),
        ("1 / 0 == 1", Err(Fault::DivisionByZero)),
        ("1 % 0 == 1", Err(Fault::DivisionByZero)),
        ("9223372036854775807 + 1 > 0", Err(Fault::Overflow)),
        ("-9223372036854775808 - 1 > 0", Err(Fault::Overflow)),
        ("-9223372036854775808 / -1 > 0", Err(Fault::Overflow)),
        ("9223372036854775807 * 2 > 0", Err(Fault::Overflow)),
        ("int(1e300) > 0", Err(Fault::Overflow)),
        ("int('x') > 0", Err(Fault::NotANumber)),
        ("double('x') > 0.0", Err(Fault::NotANumber)),
        ("1 in [1, 1 / 0]", Err(Fault::DivisionByZero)),
    ] {
        assert_eq!(value(source), wanted, "{source}");
    }
    assert!(!condition("lost").unwrap().holds(&Request));
}

#[test]
fn nan_is_equal_to_nothing_and_stands_in_no_order() {
    assert_eq!(value("0.0 / 0.0 == 0.0 / 0.0"), Ok(Value::Bool(false)));
    assert_eq!(value("0.0 / 0.0 != 1"), Ok(Value::Bool(true)));
    assert_eq!(value("0.0 / 0.0 < 1 || 0.0 / 0.0 >= 1"), Ok(Value::Bool(false)));
}

#[test]
fn a_mistake_is_told_with_its_place_and_what_to_do() {
    for (source, wanted) in [
        ("request.size == '5'", "column 14: `==` compares int with string; write int(…) around the string"),
        ("request.path", "column 1: is of type string, wanted bool; compare it with something"),
        (
            "true && request.metod == 'GET'",
            "column 16: there is no `request.metod`; known: request.path, request.size, rate, request.headers, lost",
        ),
        (
            "request.headers == 'a'",
            "column 8: `request.headers` is a map; name an entry, as request.headers['name'], or ask 'name' in request.headers",
        ),
        (
            "request.headers['X-Tier'] == 'a'",
            "column 17: the names of `request.headers` are in lower case; write 'x-tier'",
        ),
        ("request.headers[request.path] == 'a'", "column 24: a name in `request.headers` must be a text in quotes"),
        ("request.path && true", "column 8: `&&` takes bool, not string; compare it with something"),
        ("request.path.startsWith(5)", "column 25: `startsWith` takes string, not int; write string(…) around it"),
        ("request.path.matches(request.path)", "column 29: the pattern of `matches` must be a text in quotes"),
        ("request.path.matches('a(')", "column 22: the regex does not compile: unclosed group"),
        (
            "request.path.startWith('/')",
            "column 23: there is no function `startWith`; known: startsWith, endsWith, contains, matches, size, has, int, double, string",
        ),
        (
            "startsWith(request.path, '/')",
            "column 11: `startsWith` is asked of a text, with one text; write text.startsWith('…')",
        ),
        (
            "rate * 2 > 1.0",
            "column 6: `*` does not take double and int; write double(…) around the int, or 2.0 instead of 2",
        ),
        ("5u == 5", "column 1: there are no unsigned integers here; write 5 without the u"),
        ("b'a' == 'a'", "column 1: there are no bytes here; write it without the b"),
        ("request.path == null", "column 17: nothing here is null; ask with `in` whether an entry is there"),
        ("[1, 2] == [1]", "column 1: a list may only stand behind `in`"),
        (
            "[1].exists(x, x == 1)",
            "column 11: there is nothing here to go through one by one; write what it asks with `in`, `&&` and `||`",
        ),
        ("1 in ['a']", "column 7: the list holds string where int is looked for"),
        ("1 in 2", "column 3: `in` looks in a map or in a list; write the list, as ['a', 'b']"),
        ("(true ? 1 : 'a') == 1", "column 7: `? :` chooses between int and string; make both of one type"),
        ("'größe' == 1", "column 9: `==` compares string with int; write int(…) around the string"),
        ("true\n  && 1 == 'a'", "line 2, column 8: `==` compares int with string; write int(…) around the string"),
    ] {
        assert_eq!(mistake(source), wanted, "{source}");
    }
}

#[test]
fn what_is_no_cel_is_told_with_its_place() {
    for (source, column, hint) in [
        ("request.path = '/'", "column 14: cannot be read", Some("write `==` to compare")),
        ("true and false", "column 6: cannot be read", Some("write `&&`, `||` and `!`")),
        ("(true", "column 6: cannot be read", None),
        ("'a", "column 1: cannot be read", None),
        ("", "column 1: cannot be read", None),
        ("has(request.headers['a'])", "column 20: cannot be read", Some("write has(map.name), or 'name' in map")),
    ] {
        let told = mistake(source);
        assert!(told.starts_with(column), "{source}: {told}");
        assert!(hint.is_none_or(|hint| told.ends_with(hint)), "{source}: {told}");
    }
}

#[test]
fn an_expression_that_goes_down_too_far_is_refused_and_not_followed() {
    for source in [
        "(".repeat(2_000) + "true" + &")".repeat(2_000),
        "!".repeat(4_000) + "true" + ")",
        "-".repeat(4_000) + "1 == 1" + ")",
        ["1"; 1_500].join("+") + " == 1",
        "true ? ".repeat(500) + "true" + &" : false".repeat(500) + ")",
        "a.".repeat(1_500) + "b",
        "[".repeat(3_000),
        "request.headers[".repeat(200),
        "x".repeat(5_000),
    ] {
        assert!(condition(&source).is_err(), "{:.40}", source);
    }
    let flat = vec!["request.size == 1"; 150].join(" || ");
    assert!(condition(&flat).is_ok(), "{:?}", condition(&flat));
}

#[test]
fn the_part_that_keeps_a_condition_from_holding_is_named_with_what_it_saw() {
    for (source, wanted) in [
        (
            "request.path.startsWith('/api') && request.headers['x-tier'] == 'silver'",
            Some("`request.headers['x-tier'] == 'silver'` is false (request.headers['x-tier'] is 'gold')"),
        ),
        (
            "request.headers['x-none'] == 'a' && request.size > 10",
            Some(
                "`request.headers['x-none'] == 'a'` cannot be decided: an entry is absent (request.headers['x-none'] is absent)",
            ),
        ),
        ("lost && request.size < 10", Some("`request.size < 10` is false (request.size is 1000)")),
        (
            "request.size == 1 || rate > 1",
            Some("`request.size == 1 || rate > 1` is false (request.size is 1000, rate is 0.5)"),
        ),
        ("!(request.size > 1 && true)", Some("`!(request.size > 1 && true)` is false (request.size is 1000)")),
        ("request.size > 1", None),
    ] {
        assert_eq!(condition(source).unwrap().obstacle(&Request).as_deref(), wanted, "{source}");
    }
}

#[test]
fn a_condition_in_words_means_what_was_written() {
    for source in [
        "(1 + 2) * 3 == 9",
        "1 - (2 - 3) == 2",
        "(true || false) && true",
        "!(request.path in ['a', 'b\\'c'])",
        "(request.size > 1 ? 'a' : 'b') == 'a'",
        "-request.size < -(1 + 2)",
        "request.path.matches('^/a\\\\.b')",
        "has(request.headers.age) == true",
        "string(request.size).startsWith('1') && size('a' + 'b') == 2",
    ] {
        let cel = condition(source).unwrap();
        let words = words::text(&cel.root, &ENVIRONMENT);
        let again = condition(&words).unwrap_or_else(|mistake| panic!("{words}: {mistake}"));
        assert_eq!(words::text(&again.root, &ENVIRONMENT), words);
        assert_eq!(again.value(&Request), cel.value(&Request), "{source} as {words}");
    }
}

#[test]
fn what_it_reads_is_known() {
    let cel = condition("request.headers['a'] == 'b' && ('c' in request.headers || request.size > 1)").unwrap();
    assert_eq!(cel.keys(HEADERS), ["a", "c"]);
    assert!(cel.reads(SIZE) && !cel.reads(PATH));
}
