//! A connection to whichever of several addresses of one endpoint answers first (RFC 8305, "happy eyeballs").

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use weft_rt::{Addr, Stream, Timer};

/// How long an address has before the next one is tried beside it (section 5, "Connection Attempt Delay").
const STAGGER: Duration = Duration::from_millis(250);

type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<Stream>> + 'a>>;

/// The first connection that stands, with the place of its address; the others are closed. `first` is tried first, then
/// the rest in their order.
pub async fn connect(addresses: &[Addr], first: usize) -> io::Result<(Stream, usize)> {
    let others = (0..addresses.len()).filter(|place| *place != first);
    let mut race = Race {
        addresses,
        waiting: std::iter::once(first).chain(others).rev().collect(),
        running: Vec::new(),
        next: Timer::new(),
        error: io::ErrorKind::AddrNotAvailable.into(),
    };
    poll_fn(|cx| race.poll(cx)).await
}

struct Race<'a> {
    addresses: &'a [Addr],
    /// Places not yet tried; the next one is the last.
    waiting: Vec<usize>,
    running: Vec<(usize, Connecting<'a>)>,
    next: Timer,
    /// Why the address that failed last did.
    error: io::Error,
}

impl Race<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, usize)>> {
        loop {
            if let Some(winner) = self.poll_running(cx) {
                return Poll::Ready(Ok(winner));
            }
            let due = self.running.is_empty() || self.next.poll_expired(cx).is_ready();
            if !due {
                return Poll::Pending;
            }
            let Some(address) = self.waiting.pop().and_then(|place| Some((place, self.addresses.get(place)?))) else {
                self.next.set(None);
                let lost = std::mem::replace(&mut self.error, io::ErrorKind::NotConnected.into());
                return if self.running.is_empty() { Poll::Ready(Err(lost)) } else { Poll::Pending };
            };
            self.running.push((address.0, Box::pin(weft_rt::connect(address.1))));
            self.next.set(Some(weft_rt::now() + STAGGER));
        }
    }

    /// Lets all go on. One that fails makes room for the next at once.
    fn poll_running(&mut self, cx: &mut Context<'_>) -> Option<(Stream, usize)> {
        let mut winner = None;
        self.running.retain_mut(|(place, connecting)| match connecting.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(Ok(stream)) => {
                winner.get_or_insert((stream, *place));
                false
            }
            Poll::Ready(Err(error)) => {
                self.error = error;
                self.next.set(Some(weft_rt::now()));
                false
            }
        });
        winner
    }
}

/// The order in which addresses of one name are tried: families in turn, IPv6 first (section 4).
pub fn order(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let (six, four): (Vec<SocketAddr>, Vec<SocketAddr>) = addresses.into_iter().partition(SocketAddr::is_ipv6);
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    let mut ordered = Vec::with_capacity(six.len() + four.len());
    loop {
        let pair = [six.next(), four.next()];
        if pair == [None, None] {
            return ordered;
        }
        ordered.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_the_newer_one_begins() {
        let parse = |text: &str| text.parse::<SocketAddr>().unwrap();
        let given = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "[fd00::1]:1", "[fd00::2]:1"].map(parse);
        let wanted = ["[fd00::1]:1", "10.0.0.1:1", "[fd00::2]:1", "10.0.0.2:1", "10.0.0.3:1"].map(parse);
        assert_eq!(order(given), wanted);
    }
}
