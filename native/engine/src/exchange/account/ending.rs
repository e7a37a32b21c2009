//! The end of an exchange that nobody closed.

use super::{Account, micros};
use crate::error::Kind;
use crate::telemetry::metrics::Counter;
use crate::telemetry::record::{Texts, frame};

impl Account {
    /// It ends here, whatever it was about.
    fn lost(&mut self, texts: &Texts<'_>) {
        self.record.cause = Kind::Internal.number();
        self.record.total_us = micros(self.started, weft_rt::now());
        self.worker.write_record(&mut self.record, texts, &self.view.generation);
    }
}

impl Drop for Account {
    /// Also where an exchange is dropped amid its way: its endpoint must not seem busy for ever, a panic is told, and
    /// so is the end of the worker's thread.
    fn drop(&mut self) {
        self.leave_endpoint();
        self.worker.end_exchange(self.view.listener().direction);
        if self.closed {
            return;
        }
        if std::thread::panicking() {
            self.worker.count(Counter::Panics, 1);
            self.lost(&Texts::default());
        } else if weft_rt::is_ending() {
            let trail = frame("its worker was ended under it", &self.past, &self.candidates);
            let id = self.generated_id;
            let request_id = id.as_ref().map_or(&[][..], |id| id);
            self.lost(&Texts { request_id, trail: &trail, ..Texts::default() });
        }
    }
}
