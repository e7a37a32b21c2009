//! The thread that writes all access logs of the process.

use super::output::{Output, Progress};
use super::{Lines, LogQueue};
use parking_lot::{Condvar, Mutex};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Lines are gathered this long before they are written, so that a busy worker wakes this thread 200 times a second.
const GATHER: Duration = Duration::from_millis(5);
/// A stalled pipe is tried again after this time, a file that failed (a full disk) after the longer one.
const STALLED: Duration = Duration::from_millis(10);
const FAILED: Duration = Duration::from_millis(200);

/// What the thread is asked for.
#[derive(Debug, Default)]
struct Asked {
    lines: bool,
    urgent: bool,
    stop: bool,
    /// Flushes asked for and done, counted.
    flushes: u64,
    flushed: u64,
}

/// Wakes the thread, and those who wait for a flush.
#[derive(Debug, Default)]
pub(super) struct Bell {
    asked: Mutex<Asked>,
    wake: Condvar,
    done: Condvar,
}

impl Bell {
    /// There are lines; they may be gathered.
    pub(super) fn ring(&self) {
        self.asked.lock().lines = true;
        self.wake.notify_one();
    }

    /// There are many lines, or somebody waits.
    pub(super) fn ring_urgently(&self) {
        self.ask(|asked| asked.urgent = true);
    }

    fn ask(&self, change: impl FnOnce(&mut Asked)) {
        change(&mut self.asked.lock());
        self.wake.notify_one();
    }

    /// Waits for work, gathering unless it is urgent. Returns the flushes asked for so far, or `None` to stop.
    fn wait(&self, retry: Option<Duration>) -> Option<u64> {
        let mut asked = self.asked.lock();
        let deadline = retry.map(|after| Instant::now() + after);
        while !asked.lines && !asked.urgent && !asked.stop {
            match deadline {
                Some(deadline) if self.wake.wait_until(&mut asked, deadline).timed_out() => break,
                Some(_) => {}
                None => self.wake.wait(&mut asked),
            }
        }
        let gathered = Instant::now() + GATHER;
        while asked.lines && !asked.urgent && !asked.stop {
            if self.wake.wait_until(&mut asked, gathered).timed_out() {
                break;
            }
        }
        (asked.lines, asked.urgent) = (false, false);
        (!asked.stop).then_some(asked.flushes)
    }

    fn flushed(&self, flushes: u64) {
        self.asked.lock().flushed = flushes;
        self.done.notify_all();
    }
}

/// One file. Clones are the same file.
#[derive(Clone, Debug)]
pub struct Sink {
    file: Arc<SinkFile>,
    bell: Arc<Bell>,
}

#[derive(Debug)]
struct SinkFile {
    path: String,
    queues: Mutex<Vec<Arc<Lines>>>,
    /// Opened by [`Sink::reopen`], not yet taken over by the thread.
    replacement: Mutex<Option<Output>>,
    write_errors: AtomicU64,
}

impl Sink {
    /// A queue for one worker.
    pub fn queue(&self, max_bytes: usize) -> LogQueue {
        let lines = Arc::new(Lines { buffer: Mutex::new(Vec::new()), max_bytes });
        self.file.queues.lock().push(Arc::clone(&lines));
        LogQueue { lines, bell: Arc::clone(&self.bell) }
    }

    /// Opens the path again, after a rotation moved the file away. Lines go on to the old file until this returns.
    ///
    /// # Errors
    /// When the path cannot be opened; then the old file stays in use.
    pub fn reopen(&self) -> io::Result<()> {
        *self.file.replacement.lock() = Some(Output::open(&self.file.path)?);
        self.bell.ring_urgently();
        Ok(())
    }

    /// Writes that failed so far. Their lines were kept and tried again.
    pub fn write_errors(&self) -> u64 {
        self.file.write_errors.load(Relaxed)
    }
}

/// The thread and its files. Dropping it writes once more what waits, without waiting for that.
#[derive(Debug)]
pub struct LogWriter {
    sinks: Arc<Mutex<Vec<Arc<SinkFile>>>>,
    bell: Arc<Bell>,
    write_errors: Arc<AtomicU64>,
}

impl LogWriter {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start() -> io::Result<Self> {
        let writer = Self { sinks: Arc::default(), bell: Arc::default(), write_errors: Arc::default() };
        let write_errors = Arc::clone(&writer.write_errors);
        let mut pass = Pass { sinks: Arc::clone(&writer.sinks), files: Vec::new(), write_errors };
        let bell = Arc::clone(&writer.bell);
        std::thread::Builder::new().name("weft-log".into()).spawn(move || pass.run(&bell))?;
        Ok(writer)
    }

    /// Opens a file for appending (created with mode 0640), `/dev/stdout` or `/dev/stderr`. A path that is open
    /// already gives the same sink, over a file opened anew: it may have been moved away.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(&self, path: &str) -> io::Result<Sink> {
        let bell = Arc::clone(&self.bell);
        let mut sinks = self.sinks.lock();
        if let Some(file) = sinks.iter().find(|file| file.path == path) {
            let sink = Sink { file: Arc::clone(file), bell };
            return sink.reopen().map(|()| sink);
        }
        let file = Arc::new(SinkFile {
            path: path.to_owned(),
            queues: Mutex::default(),
            replacement: Mutex::new(Some(Output::open(path)?)),
            write_errors: AtomicU64::new(0),
        });
        sinks.push(Arc::clone(&file));
        Ok(Sink { file, bell })
    }

    /// Opens every file again, after a rotation moved them away. Returns those that could not be opened, which go on in
    /// the old file, with the reason.
    pub fn reopen(&self) -> Vec<(String, io::Error)> {
        let sinks = self.sinks.lock().clone();
        let reopened = sinks.into_iter().map(|file| Sink { file, bell: Arc::clone(&self.bell) });
        reopened.filter_map(|sink| Some((sink.file.path.clone(), sink.reopen().err()?))).collect()
    }

    /// Writes to any of its files that failed so far.
    pub fn write_errors(&self) -> u64 {
        self.write_errors.load(Relaxed)
    }

    /// Waits until every line pushed before is written, at most `timeout`; `false` when some could not be.
    pub fn flush(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut asked = self.bell.asked.lock();
        asked.flushes += 1;
        asked.urgent = true;
        let wanted = asked.flushes;
        self.bell.wake.notify_one();
        while asked.flushed < wanted {
            if self.bell.done.wait_until(&mut asked, deadline).timed_out() {
                return asked.flushed >= wanted;
            }
        }
        true
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.bell.ask(|asked| asked.stop = true);
    }
}

/// A file as the thread has it.
#[derive(Debug)]
struct OpenFile {
    shared: Arc<SinkFile>,
    output: Option<Output>,
    /// Taken out of a queue, and how much of it is written.
    lines: Vec<u8>,
    written: usize,
}

/// The thread's own state: one pass writes what waits in every queue when the pass comes to it.
struct Pass {
    sinks: Arc<Mutex<Vec<Arc<SinkFile>>>>,
    files: Vec<OpenFile>,
    /// Of all files, those that are closed included.
    write_errors: Arc<AtomicU64>,
}

impl Pass {
    fn run(&mut self, bell: &Bell) {
        let mut retry = None;
        while let Some(flushes) = bell.wait(retry) {
            match self.write_all() {
                Progress::Done => {
                    retry = None;
                    bell.flushed(flushes);
                }
                Progress::Stalled => retry = Some(STALLED),
                Progress::Failed => retry = Some(FAILED),
            }
        }
        self.write_all();
    }

    /// Writes every file and closes those that nobody can write to any more.
    fn write_all(&mut self) -> Progress {
        self.take_new_files();
        let progress: Vec<Progress> = self.files.iter_mut().map(OpenFile::write).collect();
        let failed = progress.iter().filter(|progress| **progress == Progress::Failed).count();
        self.write_errors.fetch_add(failed as u64, Relaxed);
        let mut sinks = self.sinks.lock();
        self.files.retain(|file| {
            // Three owners at least while in use: the list, this thread, a sink. Under the list's lock no sink is born.
            let in_use = Arc::strong_count(&file.shared) > 2 || !file.is_empty();
            if !in_use {
                sinks.retain(|listed| !Arc::ptr_eq(listed, &file.shared));
            }
            in_use
        });
        let any = |wanted| progress.contains(&wanted);
        if any(Progress::Stalled) {
            Progress::Stalled
        } else if any(Progress::Failed) {
            Progress::Failed
        } else {
            Progress::Done
        }
    }

    fn take_new_files(&mut self) {
        for shared in self.sinks.lock().iter() {
            if !self.files.iter().any(|file| Arc::ptr_eq(&file.shared, shared)) {
                let file = OpenFile { shared: Arc::clone(shared), output: None, lines: Vec::new(), written: 0 };
                self.files.push(file);
            }
        }
    }
}

impl OpenFile {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.shared.queues.lock().is_empty()
    }

    /// Writes what was left, then each queue once: a busy worker cannot keep the thread from the other files.
    fn write(&mut self) -> Progress {
        if let Some(output) = self.shared.replacement.lock().take() {
            self.output = Some(output);
            // A line that was written in part begins again in the new file.
            let begun = self.lines.get(..self.written).unwrap_or_default();
            self.written = begun.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        }
        let mut progress = self.write_lines();
        let queues = self.shared.queues.lock().clone();
        for queue in &queues {
            if progress != Progress::Done {
                return progress;
            }
            std::mem::swap(&mut *queue.buffer.lock(), &mut self.lines);
            progress = self.write_lines();
        }
        drop(queues);
        let mut queues = self.shared.queues.lock();
        queues.retain(|queue| Arc::strong_count(queue) > 1 || !queue.buffer.lock().is_empty());
        progress
    }

    fn write_lines(&mut self) -> Progress {
        let Some(output) = &mut self.output else { return Progress::Failed };
        let progress = output.write(&self.lines, &mut self.written);
        match progress {
            Progress::Done => {
                self.lines.clear();
                self.written = 0;
            }
            Progress::Failed => {
                self.shared.write_errors.fetch_add(1, Relaxed);
            }
            Progress::Stalled => {}
        }
        progress
    }
}
