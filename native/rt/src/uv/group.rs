//! Tasks that end together: those of one owner among several on the same thread.
//!
//! A task belongs to the group in which it was spawned, and what it spawns belongs there too. A group that has ended ends
//! each of its tasks at its next turn, without polling it: tasks are dropped on a clean stack only, as they are polled.

use std::cell::Cell;
use std::rc::Rc;

use super::local::with_local;

pub(crate) struct Group {
    pub(crate) id: u32,
    pub(crate) ended: Cell<bool>,
}

/// Runs `f`; the tasks that it spawns on this thread belong to the group with this number.
pub fn in_group<R>(id: u32, f: impl FnOnce() -> R) -> R {
    let before = with_local(|local| local.executor().enter_group(id));
    let result = f();
    with_local(|local| local.executor().set_group(before.flatten()));
    result
}

/// Ends the group's tasks on this thread, each at its next turn. True while some of them are left: ask again after a
/// turn of the loop.
pub fn end_group(id: u32) -> bool {
    with_local(|local| local.executor().end_group(id)).unwrap_or(false)
}

pub(crate) type Member = Option<Rc<Group>>;
