//! An open file of the access log, written without ever waiting for it.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

/// A pipe that poll calls writable takes this much without blocking (PIPE_BUF).
const PIPE_BYTES: usize = 4096;

/// A regular file, or a pipe, terminal or socket, which may stall.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    may_stall: bool,
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Done,
    /// The reader of a pipe does not keep up; not an error.
    Stalled,
    Failed,
}

impl Output {
    /// Opens a file for appending, creating it for its owner (read, write) and group (read).
    pub(super) fn open(path: &str) -> io::Result<Self> {
        let file = match path {
            // By descriptor: the path cannot be opened when standard output is a socket.
            "/dev/stdout" => File::from(io::stdout().as_fd().try_clone_to_owned()?),
            "/dev/stderr" => File::from(io::stderr().as_fd().try_clone_to_owned()?),
            // Without O_NONBLOCK the open of a pipe that nobody reads would never return.
            path => {
                let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
                OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(flags).open(path)?
            }
        };
        Self::over(file)
    }

    /// An open file, or what else has a descriptor; it may be a blocking one.
    pub(super) fn over(file: File) -> io::Result<Self> {
        let may_stall = !file.metadata()?.is_file();
        Ok(Self { file, may_stall })
    }

    /// Writes from `written` on and moves it along.
    pub(super) fn write(&mut self, lines: &[u8], written: &mut usize) -> Progress {
        while let Some(rest) = lines.get(*written..).filter(|rest| !rest.is_empty()) {
            if self.may_stall && !self.is_writable() {
                return Progress::Stalled;
            }
            let portion = if self.may_stall { rest.get(..PIPE_BYTES).unwrap_or(rest) } else { rest };
            match self.file.write(portion) {
                Ok(0) => return Progress::Failed,
                Ok(count) => *written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Progress::Stalled,
                Err(_) => return Progress::Failed,
            }
        }
        Progress::Done
    }

    fn is_writable(&self) -> bool {
        let mut files = [PollFd::new(&self.file, PollFlags::OUT)];
        matches!(poll(&mut files, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1..))
    }
}
