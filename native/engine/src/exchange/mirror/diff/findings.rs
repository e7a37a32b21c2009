//! What comparing found: each field with how often it differed, and whether that is noise.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use serde::Serialize;

use super::{Comparison, Differs, Way, differences};

/// Fields that are kept at most; further ones are not told.
const MAX_FIELDS: usize = 1_000;

/// Controls without which nothing is called a difference yet.
const ENOUGH_CONTROLS: u64 = 10;

/// Comparisons without which, where no request can be repeated, nothing is.
const ENOUGH_COMPARED: u64 = 20;

/// A field that is noise is told all the same where the mirror differs so many times as often as a control, at least so
/// often.
const FAR_MORE: u64 = 5;

/// What comparing found.
pub struct Findings {
    ignore: Vec<String>,
    tallies: Mutex<Tallies>,
    /// Answers that there was no room to compare.
    pub skipped: AtomicU64,
}

#[derive(Default)]
struct Tallies {
    compared: u64,
    controls: u64,
    /// Comparisons of requests that could be repeated.
    repeatable: u64,
    /// By field, and by how it differs.
    fields: BTreeMap<(String, Way), Tally>,
}

#[derive(Default)]
struct Tally {
    differs: u64,
    control_differs: u64,
    example: Option<Example>,
}

/// A request whose answers differed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// Method and path.
    pub request: String,
    /// What the client got.
    pub primary: String,
    /// What the mirror answered.
    pub candidate: String,
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `status`, `header NAME`, `body` or a path such as `$.items[].price`.
    pub field: String,
    /// How.
    pub way: Way,
    /// How often.
    pub count: u64,
    /// The first time.
    pub example: Option<Example>,
}

/// A field that differs by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Noise {
    /// As of a difference.
    pub field: String,
    /// How.
    pub way: Way,
    /// How often.
    pub count: u64,
    /// Why it is noise, in words.
    pub because: &'static str,
}

/// All that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Answers that were compared.
    pub compared: u64,
    /// Requests that were repeated to learn what differs by itself.
    pub controls: u64,
    /// Answers that there was no room to compare.
    pub skipped: u64,
    /// Too little was compared to tell noise from a difference.
    pub learning: bool,
    /// What the mirror answers otherwise, the most frequent first.
    pub differences: Vec<Difference>,
    /// What differs by itself.
    pub noise: Vec<Noise>,
}

impl Findings {
    /// Nothing yet. Fields of these names are not compared: headers, or fields of JSON by their path.
    pub fn new(ignore: &[String]) -> Self {
        let ignore = ignore.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self { ignore, tallies: Mutex::default(), skipped: AtomicU64::new(0) }
    }

    /// Compares, and keeps what was found.
    pub(super) fn add(&self, comparison: &Comparison) {
        let Comparison { request, primary, candidate, control, repeatable, findings: _ } = comparison;
        let found = differences(primary, candidate);
        let noise = control.as_ref().map(|control| differences(primary, control));
        let mut tallies = self.tallies.lock();
        tallies.compared += 1;
        tallies.controls += u64::from(noise.is_some());
        tallies.repeatable += u64::from(*repeatable);
        for differs in found.into_iter().filter(|differs| !self.ignores(differs)) {
            let Differs { field, way, primary, candidate } = differs;
            if let Some(tally) = tallies.of(field, way) {
                tally.differs += 1;
                tally.example.get_or_insert_with(|| Example { request: request.clone(), primary, candidate });
            }
        }
        for differs in noise.into_iter().flatten().filter(|differs| !self.ignores(differs)) {
            if let Some(tally) = tallies.of(differs.field, differs.way) {
                tally.control_differs += 1;
            }
        }
    }

    /// Whether it is configured not to matter: a header by its name, a field by its path with or without `$.`, or by its
    /// own name.
    fn ignores(&self, differs: &Differs) -> bool {
        let field = differs.field.to_ascii_lowercase();
        let name = field.strip_prefix("header ").or(field.strip_prefix("$.")).unwrap_or(&field);
        let last = name.rsplit('.').next().unwrap_or(name);
        self.ignore.iter().any(|ignored| *ignored == field || ignored == name || ignored == last)
    }

    /// All that was found until now.
    pub fn report(&self) -> Report {
        let tallies = self.tallies.lock();
        let mut report = Report {
            compared: tallies.compared,
            controls: tallies.controls,
            skipped: self.skipped.load(Relaxed),
            learning: tallies.is_learning(),
            differences: Vec::new(),
            noise: Vec::new(),
        };
        for ((field, way), tally) in tallies.fields.iter().filter(|(_, tally)| tally.differs > 0) {
            let (field, way, count) = (field.clone(), *way, tally.differs);
            match tallies.noise(tally) {
                Some(because) => report.noise.push(Noise { field, way, count, because }),
                None => report.differences.push(Difference { field, way, count, example: tally.example.clone() }),
            }
        }
        report.differences.sort_by_key(|found| std::cmp::Reverse(found.count));
        report
    }
}

impl Tallies {
    /// The tally of a field; `None`: there are too many.
    fn of(&mut self, field: String, way: Way) -> Option<&mut Tally> {
        let key = (field, way);
        let room = self.fields.len() < MAX_FIELDS || self.fields.contains_key(&key);
        room.then(|| self.fields.entry(key).or_default())
    }

    fn is_learning(&self) -> bool {
        if self.repeatable > 0 { self.controls < ENOUGH_CONTROLS } else { self.compared < ENOUGH_COMPARED }
    }

    /// Why a field is noise, if it is.
    fn noise(&self, tally: &Tally) -> Option<&'static str> {
        if self.controls == 0 {
            let mostly = tally.differs * 2 > self.compared;
            return mostly.then_some("it differs mostly, and no request could be repeated to tell why");
        }
        // The same shares, compared without a division.
        let (mirrors, controls) = (tally.differs * self.controls, tally.control_differs * self.compared);
        let far_more = tally.differs >= FAR_MORE && mirrors > controls * FAR_MORE;
        (tally.control_differs > 0 && !far_more).then_some("it differs between answers to the same request as well")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Body, Seen};
    use super::*;

    fn seen(body: String) -> Seen {
        Seen { status: 200, fields: vec![("set-cookie".into(), "a".into())], body: Body::Whole(body.into_bytes()) }
    }

    fn add(findings: &Arc<Findings>, primary: String, candidate: String, control: Option<String>) {
        let repeatable = control.is_some();
        findings.add(&Comparison {
            findings: Arc::clone(findings),
            request: "GET /".to_owned(),
            primary: seen(primary),
            candidate: seen(candidate),
            control: control.map(seen),
            repeatable,
        });
    }

    #[test]
    fn one_changed_field_in_a_thousand_answers_is_found_and_nothing_else() {
        let findings = Arc::new(Findings::new(&["ignored".to_owned()]));
        let mut clock = 0;
        let mut answer = |price: u32| {
            clock += 1;
            let sometimes = if clock % 7 == 0 { "hit" } else { "miss" };
            format!(r#"{{"price":{price},"id":"{clock}","at":{},"cache":"{sometimes}","ignored":{clock}}}"#, clock / 2)
        };
        for at in 0..1_000 {
            let (primary, candidate) = (answer(5), answer(if at == 777 { 6 } else { 5 }));
            let control = answer(5);
            add(&findings, primary, candidate, Some(control));
        }
        let report = findings.report();
        let found: Vec<(&str, u64)> = report.differences.iter().map(|found| (&*found.field, found.count)).collect();
        assert_eq!((found, report.learning), (vec![("$.price", 1)], false), "{:?}", report.noise);
        let example = report.differences[0].example.as_ref().unwrap();
        assert_eq!((&*example.primary, &*example.candidate), ("5", "6"));
        let noise: Vec<&str> = report.noise.iter().map(|noise| &*noise.field).collect();
        assert_eq!(noise, ["$.at", "$.cache", "$.id"]);
    }

    #[test]
    fn a_field_that_always_differs_is_a_difference_where_requests_can_be_repeated_and_noise_where_not() {
        let (repeated, posted) = (Arc::new(Findings::new(&[])), Arc::new(Findings::new(&[])));
        for _ in 0..30 {
            add(&repeated, "{\"v\":1}".into(), "{\"v\":2}".into(), Some("{\"v\":1}".into()));
            add(&posted, "{\"v\":1}".into(), "{\"v\":2}".into(), None);
        }
        assert_eq!((repeated.report().differences.len(), repeated.report().noise.len()), (1, 0));
        assert_eq!((posted.report().differences.len(), posted.report().noise.len()), (0, 1));
    }

    #[test]
    fn a_field_that_seldom_differs_by_itself_does_not_hide_a_real_change() {
        let findings = Arc::new(Findings::new(&[]));
        for at in 0..100 {
            let control = if at == 5 { "{\"v\":3}" } else { "{\"v\":1}" };
            add(&findings, "{\"v\":1}".into(), "{\"v\":2}".into(), Some(control.into()));
        }
        assert_eq!(findings.report().differences.len(), 1);
    }
}
