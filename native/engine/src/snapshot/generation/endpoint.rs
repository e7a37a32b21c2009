//! Endpoints with their state, and the book that keeps them from one generation to the next.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};

use foldhash::HashMap;
use weft_rt::Addr;

use crate::telemetry::metrics::Latency;

/// An address with its statistics, shared by all workers and generations.
pub struct Endpoint {
    /// Dense and unique in the process: the index of its pool in each worker.
    pub id: u32,
    /// Where it listens.
    pub address: Addr,
    /// The same for records.
    pub socket: SocketAddr,
    /// Exchanges under way.
    pub active: AtomicU32,
    /// Attempts so far.
    pub requests: AtomicU64,
    /// Attempts that ended without a whole answer.
    pub failures: AtomicU64,
    /// Connections open to it.
    pub connections: AtomicU32,
    /// Answers with a status of 500 or above.
    pub server_errors: AtomicU64,
    /// From the begin of an attempt to the answer's first byte.
    pub latency: Latency,
}

/// Endpoints by cluster name and address.
#[derive(Default)]
pub struct EndpointBook {
    known: HashMap<(String, SocketAddr), Arc<Endpoint>>,
    next: u32,
    free: Vec<u32>,
}

impl EndpointBook {
    /// The endpoint of this cluster at this address, made on first use.
    pub fn endpoint(&mut self, cluster: &str, socket: SocketAddr) -> Arc<Endpoint> {
        if let Some(found) = self.known.get(&(cluster.to_owned(), socket)) {
            return Arc::clone(found);
        }
        let id = self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        let made = Arc::new(Endpoint {
            id,
            address: Addr::Tcp(socket),
            socket,
            active: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            connections: AtomicU32::new(0),
            server_errors: AtomicU64::new(0),
            latency: Latency::default(),
        });
        self.known.insert((cluster.to_owned(), socket), Arc::clone(&made));
        made
    }

    /// Forgets endpoints that no generation, pool or exchange holds any more; their ids are used again.
    pub fn forget_unused(&mut self) {
        self.known.retain(|_, endpoint| {
            let used = Arc::strong_count(endpoint) > 1;
            if !used {
                self.free.push(endpoint.id);
            }
            used
        });
    }
}
