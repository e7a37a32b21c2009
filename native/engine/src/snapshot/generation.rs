//! A generation: a snapshot compiled for the hot path, numbered, immutable.
//!
//! Only [`Endpoint`] carries state. It is keyed by cluster and address in the [`EndpointBook`], so that it
//! survives the generation that named it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use foldhash::HashMap;
use weft_rt::Addr;

use super::{ListenerLimits, Records};
use crate::http::parse::HeadLimits;
use crate::telemetry::access_log::{Format, LogWriter, Sink};
use crate::telemetry::metrics::{Ids, Names};

/// What the engine serves from.
pub struct Generation {
    /// Grows by one with each applied snapshot.
    pub number: u32,
    /// By snapshot index.
    pub listeners: Vec<GenerationListener>,
    /// By snapshot index.
    pub routes: Vec<GenerationRoute>,
    /// By snapshot index.
    pub clusters: Vec<GenerationCluster>,
    /// Numbers of its names, for metrics.
    pub ids: Ids,
    /// What exchanges record.
    pub records: Records,
    /// Longest drain.
    pub drain_deadline: Duration,
}

/// A listener, compiled.
pub struct GenerationListener {
    /// Its name.
    pub name: String,
    /// Address as configured: with the name, the key of its socket.
    pub address: SocketAddr,
    /// As configured.
    pub limits: ListenerLimits,
    /// The part of the limits that the parser asks for.
    pub head_limits: HeadLimits,
    /// How exchanges are logged.
    pub access_log: Option<GenerationLog>,
    /// FIN amid a request gives it up.
    pub abort_on_close: bool,
    /// Indexes of its routes, in precedence order.
    pub routes: Vec<u16>,
}

/// An access log, compiled.
pub struct GenerationLog {
    /// What a line says.
    pub format: Format,
    /// Where it goes.
    pub sink: Sink,
}

/// A route, compiled. A duration is `None` where there is no bound.
pub struct GenerationRoute {
    /// Its place in the generation.
    pub index: u16,
    /// Its name.
    pub name: String,
    /// Index of its cluster.
    pub cluster: u16,
    /// Until the answer's head.
    pub timeout: Option<Duration>,
    /// From the request's last byte to the answer's first.
    pub first_byte_timeout: Option<Duration>,
    /// Without a byte in either direction.
    pub idle_timeout: Option<Duration>,
}

/// A cluster, compiled.
pub struct GenerationCluster {
    /// Its place in the generation.
    pub index: u16,
    /// Its name.
    pub name: String,
    /// Where its requests go.
    pub endpoints: Vec<Arc<Endpoint>>,
    /// To establish a connection.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept.
    pub keep_alive_idle: Duration,
    /// The balancer's turn; survives as long as the cluster's endpoints do not change.
    pub turn: AtomicU32,
}

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
}

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

    /// Waits until every line is written, at most so long; false when some could not be.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.writer.as_ref().is_none_or(|writer| writer.flush(timeout))
    }
}

/// What outlives generations: the state that they share.
#[derive(Default)]
pub struct Books {
    /// Endpoints with their statistics.
    pub endpoints: EndpointBook,
    /// Numbers of the names that series are about.
    pub names: Names,
    /// Open logs.
    pub logs: LogBook,
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
