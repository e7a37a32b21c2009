//! Where an endpoint can be reached: one address, or those that a name stands for at present.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use weft_rt::Addr;

use crate::telemetry::record::Address;

/// How to reach an endpoint.
pub enum Destination {
    /// One address, for as long as the endpoint exists.
    One(Addr),
    /// The addresses of one name. They change while the endpoint stays the same.
    Several(Several),
}

/// The addresses of one name, in the order in which they are to be tried.
pub struct Several {
    addresses: ArcSwap<Vec<Addr>>,
    /// The one that was reached last.
    reached: AtomicUsize,
}

/// How an endpoint is to be reached, as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// At one address.
    One(Addr),
    /// At any of these, in the order in which they are to be tried.
    Several(Vec<Addr>),
}

impl From<SocketAddr> for Reach {
    fn from(address: SocketAddr) -> Self {
        Self::One(Addr::Tcp(address))
    }
}

impl From<Reach> for Destination {
    fn from(reach: Reach) -> Self {
        match reach {
            Reach::One(address) => Self::One(address),
            Reach::Several(addresses) => {
                Self::Several(Several { addresses: ArcSwap::from_pointee(addresses), reached: AtomicUsize::new(0) })
            }
        }
    }
}

impl Destination {
    /// Takes over the addresses that the endpoint has now. One that is an address itself never has another.
    pub(super) fn follow(&self, reach: Reach) {
        if let (Self::Several(several), Reach::Several(addresses)) = (self, reach) {
            several.replace(addresses);
        }
    }

    /// The address as records keep it; none where only a connection tells which it is.
    pub fn recorded(&self) -> Address {
        match self {
            Self::One(address) => recorded(address),
            Self::Several(_) => Address::NONE,
        }
    }
}

impl Several {
    /// The addresses at present, and the place of the one to begin with.
    pub fn read(&self) -> (Arc<Vec<Addr>>, usize) {
        let addresses = self.addresses.load_full();
        let first = Some(self.reached.load(Ordering::Relaxed)).filter(|first| *first < addresses.len());
        (addresses, first.unwrap_or(0))
    }

    /// The address at this place answered: it is the first to be tried from now on.
    pub fn reached(&self, place: usize) {
        if self.reached.load(Ordering::Relaxed) != place {
            self.reached.store(place, Ordering::Relaxed);
        }
    }

    fn replace(&self, addresses: Vec<Addr>) {
        if **self.addresses.load() != addresses {
            self.addresses.store(Arc::new(addresses));
            self.reached.store(0, Ordering::Relaxed);
        }
    }
}

/// An address as records keep it.
pub fn recorded(address: &Addr) -> Address {
    match address {
        Addr::Tcp(socket) => Address::from(*socket),
        Addr::Unix(_) => Address::UNIX,
    }
}
