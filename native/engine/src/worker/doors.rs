//! A worker's listeners as doors know them, by numbers that outlive configurations. Any listener takes requests through a
//! door; some take no others.

use std::cell::RefCell;
use std::rc::Rc;

use crate::worker::serving::Serving;

/// The doors of one worker.
#[derive(Default)]
pub struct Doors {
    known: RefCell<Vec<Known>>,
}

/// A name keeps its number, whether its listener is served at present or not.
struct Known {
    name: String,
    serving: Option<Rc<Serving>>,
}

impl Doors {
    /// The number of the listener with this name.
    pub fn number(&self, name: &str) -> u32 {
        let mut known = self.known.borrow_mut();
        let place = known.iter().position(|known| known.name == name).unwrap_or_else(|| {
            known.push(Known { name: name.to_owned(), serving: None });
            known.len() - 1
        });
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    /// The listener with this number, while it is served.
    pub fn get(&self, number: u32) -> Option<Rc<Serving>> {
        self.known.borrow().get(number as usize)?.serving.clone()
    }

    /// A listener is served from now on.
    pub fn open(&self, serving: &Rc<Serving>) {
        let number = self.number(&serving.view().listener().name);
        if let Some(known) = self.known.borrow_mut().get_mut(number as usize) {
            known.serving = Some(Rc::clone(serving));
        }
    }

    /// A listener is not served any more; requests that it took go on.
    pub fn close(&self, serving: &Rc<Serving>) {
        let ours = |known: &&mut Known| known.serving.as_ref().is_some_and(|known| Rc::ptr_eq(known, serving));
        self.known.borrow_mut().iter_mut().filter(ours).for_each(|known| known.serving = None);
    }
}
