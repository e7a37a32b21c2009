//! What outlives generations: the state that they share.

use std::io;
use std::time::Duration;

use super::cluster_book::ClusterBook;
use crate::filter::FilterBook;
use crate::telemetry::access_log::{LogWriter, Sink};
use crate::telemetry::metrics::Names;
use crate::upstream::limit::LimitBook;

/// The thread that writes logs, started with the first log.
#[derive(Default)]
pub struct LogBook {
    writer: Option<LogWriter>,
}

impl LogBook {
    /// The sink of a path.
    pub fn open(&mut self, path: &str) -> io::Result<Sink> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => LogWriter::start()?,
        };
        self.writer.insert(writer).open(path)
    }

    /// Opens every file again; returns those that could not be opened, with the reason.
    pub fn reopen(&self) -> Vec<(String, io::Error)> {
        self.writer.as_ref().map(LogWriter::reopen).unwrap_or_default()
    }

    /// Writes that failed so far.
    pub fn write_errors(&self) -> u64 {
        self.writer.as_ref().map_or(0, LogWriter::write_errors)
    }

    /// Waits until every line is written, at most so long; false when some could not be.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.writer.as_ref().is_none_or(|writer| writer.flush(timeout))
    }
}

/// What outlives generations: the state that they share.
#[derive(Default)]
pub struct Books {
    /// Endpoints with their statistics, and which of them each cluster has.
    pub clusters: ClusterBook,
    /// Numbers of the names that series are about.
    pub names: Names,
    /// What is counted against limits.
    pub limits: LimitBook,
    /// State of filters.
    pub filters: FilterBook,
    /// Open logs.
    pub logs: LogBook,
}
