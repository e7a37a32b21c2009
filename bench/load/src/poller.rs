//! Epoll, level-triggered, as every command here uses it: add a socket with a token, wait, read the ready tokens.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::{Errno, Result};

pub(crate) use rustix::event::epoll::EventFlags as Interest;

const EVENTS_PER_WAIT: usize = 512;

pub(crate) struct Poller(OwnedFd);

/// The tokens of one wait, reused from wait to wait.
pub(crate) struct Ready(Vec<epoll::Event>);

impl Ready {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(EVENTS_PER_WAIT))
    }

    pub(crate) fn tokens(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().map(|event| usize::try_from(event.data.u64()).unwrap_or(usize::MAX))
    }
}

impl Poller {
    pub(crate) fn new() -> Result<Self> {
        epoll::create(epoll::CreateFlags::CLOEXEC).map(Self)
    }

    pub(crate) fn add(&self, socket: impl AsFd, token: usize, interest: Interest) -> Result<()> {
        epoll::add(&self.0, socket, epoll::EventData::new_u64(token as u64), interest)
    }

    pub(crate) fn change(&self, socket: impl AsFd, token: usize, interest: Interest) -> Result<()> {
        epoll::modify(&self.0, socket, epoll::EventData::new_u64(token as u64), interest)
    }

    pub(crate) fn remove(&self, socket: impl AsFd) -> Result<()> {
        epoll::delete(&self.0, socket)
    }

    /// Waits for events, at most `limit`, which the kernel rounds up to a millisecond.
    pub(crate) fn wait(&self, ready: &mut Ready, limit: Option<Duration>) -> Result<()> {
        ready.0.clear();
        match epoll::wait(&self.0, spare_capacity(&mut ready.0), limit.map(timespec).as_ref()) {
            Err(Errno::INTR) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Waits for events, at most `limit` to the nanosecond: ppoll on the epoll descriptor keeps what epoll rounds.
    pub(crate) fn wait_exactly(&self, ready: &mut Ready, limit: Duration) -> Result<()> {
        ready.0.clear();
        match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&timespec(limit))) {
            Ok(0) | Err(Errno::INTR) => Ok(()),
            Ok(_) => self.wait(ready, Some(Duration::ZERO)),
            Err(error) => Err(error),
        }
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), tv_nsec: time.subsec_nanos().into() }
}
