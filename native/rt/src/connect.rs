//! Opens a connection to an endpoint.

use std::future::poll_fn;
use std::io;

use crate::source::{Side, Source};
use crate::{Addr, Stream, syscall};

/// Connects, without a time limit of its own. Dropping the future closes the socket.
pub async fn connect(addr: &Addr) -> io::Result<Stream> {
    let mut source = Source::connecting(syscall::start_connect(addr)?)?;
    poll_fn(|cx| source.poll_ready(Side::Write, cx)).await;
    syscall::take_error(source.fd())?;
    Ok(Stream::from_source(source))
}
