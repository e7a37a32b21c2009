use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Wake;

use super::*;

/// Says what it is told to, and remembers what it was asked.
#[derive(Default)]
struct Told {
    answers: RefCell<Vec<Outcome>>,
    calls: RefCell<Vec<(u32, u32, Phase, String)>>,
}

impl ScriptHost for Rc<Told> {
    fn call(&self, call: &Call<'_>, text: &mut Vec<u8>) -> Said {
        let asked = String::from_utf8_lossy(call.text.unwrap_or_default()).into_owned();
        self.calls.borrow_mut().push((call.script, call.slot, call.phase, asked));
        let Some(answer) = self.answers.borrow_mut().pop() else { return Said::Unchanged };
        text.extend_from_slice(&answer.text);
        answer.said
    }
}

#[derive(Default)]
struct Woken(AtomicU64);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn outcome(said: Said, text: &str) -> Outcome {
    Outcome { said, text: text.into() }
}

fn ask(place: &Place, woken: &Arc<Woken>, expired: bool) -> Poll<Outcome> {
    let waker = Arc::clone(woken).into();
    let call = Call { script: 7, slot: 0, phase: Phase::RequestHead, text: None, bytes: None, last: true };
    place.poll(&mut Context::from_waker(&waker), call, expired, |out| out.extend_from_slice(b"head"))
}

#[test]
fn an_answer_that_was_promised_wakes_its_exchange_and_is_taken_once() {
    let (told, woken) = (Rc::new(Told::default()), Arc::default());
    let scripts = Scripts::new(Box::new(Rc::clone(&told)));
    let place = scripts.enter();
    told.answers.borrow_mut().push(outcome(Said::Pending(5), ""));
    assert!(ask(&place, &woken, false).is_pending());
    assert!(ask(&place, &woken, false).is_pending());
    assert_eq!(told.calls.borrow().len(), 1, "a wait is no second call");
    assert!(!scripts.resume(0, 4, outcome(Said::Unchanged, "")));
    assert!(scripts.resume(0, 5, outcome(Said::Edits(None), "=a: b")));
    assert!(!scripts.resume(0, 5, outcome(Said::Edits(None), "=c: d")));
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert_eq!(ask(&place, &woken, false), Poll::Ready(outcome(Said::Edits(None), "=a: b")));
    assert_eq!(ask(&place, &woken, false), Poll::Ready(outcome(Said::Unchanged, "")));
    assert_eq!(told.calls.borrow()[0], (7, 0, Phase::RequestHead, "head".to_owned()));
}

#[test]
fn what_comes_for_an_exchange_that_is_over_reaches_nobody() {
    let (told, woken) = (Rc::new(Told::default()), Arc::default());
    let scripts = Scripts::new(Box::new(Rc::clone(&told)));
    let place = scripts.enter();
    told.answers.borrow_mut().push(outcome(Said::Pending(1), ""));
    assert!(ask(&place, &woken, false).is_pending());
    drop(place);
    let next = scripts.enter();
    assert!(!scripts.resume(0, 1, outcome(Said::Edits(None), "=a: b")));
    told.answers.borrow_mut().push(outcome(Said::Pending(2), ""));
    assert!(ask(&next, &woken, false).is_pending());
    assert!(!scripts.resume(0, 1, outcome(Said::Edits(None), "=a: b")));
    assert!(!scripts.resume(9, 2, outcome(Said::Unchanged, "")));
    assert_eq!(woken.0.load(Ordering::Relaxed), 0);
}

#[test]
fn a_wait_ends_with_its_budget() {
    let (told, woken) = (Rc::new(Told::default()), Arc::default());
    let scripts = Scripts::new(Box::new(Rc::clone(&told)));
    let place = scripts.enter();
    told.answers.borrow_mut().push(outcome(Said::Pending(1), ""));
    assert!(ask(&place, &woken, false).is_pending());
    assert!(matches!(ask(&place, &woken, true), Poll::Ready(Outcome { said: Said::Failed, .. })));
    assert!(!scripts.resume(0, 1, outcome(Said::Unchanged, "")));
}

#[test]
fn a_status_stays_among_its_like() {
    assert!(allow_response(Edit::Status(503), 200).is_ok());
    assert!(allow_response(Edit::Status(304), 204).is_ok());
    for (to, present) in [(204, 200), (200, 304), (200, 101)] {
        assert!(allow_response(Edit::Status(to), present).is_err(), "{present} to {to}");
    }
    assert!(allow_response(Edit::Route(b"a"), 200).is_err());
}
