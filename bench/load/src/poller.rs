//! Epoll, level-triggered, as every command here uses it: add a socket with a token, wait, read the ready tokens.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
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

    /// Waits for events, at most `limit` (to the nanosecond where the kernel has epoll_pwait2).
    pub(crate) fn wait(&self, ready: &mut Ready, limit: Option<Duration>) -> Result<()> {
        ready.0.clear();
        let limit = limit.map(|limit| Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        });
        match epoll::wait(&self.0, spare_capacity(&mut ready.0), limit.as_ref()) {
            Err(Errno::INTR) => Ok(()),
            other => other.map(drop),
        }
    }
}
