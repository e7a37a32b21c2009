//! Snapshot → generation. Everything that can be refused is refused here, with its path; nothing is refused later.

use std::net::SocketAddr;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use serde::Serialize;

use super::{
    AccessLog, Books, Cluster, Generation, GenerationCluster, GenerationListener, GenerationLog, GenerationRoute,
    Listener, Route,
};
use super::{FORMAT, Snapshot};
use crate::http::parse::HeadLimits;
use crate::telemetry::access_log::Format;

/// Why a part of a snapshot does not come into force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// Dotted path into the snapshot.
    pub path: String,
    /// `WEFT_<AREA>_<WHAT>`.
    pub code: &'static str,
    /// What failed, where, what to do.
    pub message: String,
}

impl Rejection {
    pub(crate) fn new(path: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { path: path.into(), code, message: message.into() }
    }
}

/// Indexes cross the hot path as 16-bit numbers; the last one means "none".
const MAX_NOUNS: usize = u16::MAX as usize;

pub(crate) fn decode(bytes: &[u8]) -> Result<Snapshot, Rejection> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    let snapshot: Snapshot = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        Rejection::new(error.path().to_string(), "WEFT_SNAPSHOT_MALFORMED", error.into_inner().to_string())
    })?;
    if snapshot.format != FORMAT {
        let message = format!("snapshot format {} is not {FORMAT}: compile it with this version", snapshot.format);
        return Err(Rejection::new("format", "WEFT_SNAPSHOT_FORMAT", message));
    }
    Ok(snapshot)
}

/// Collects every issue, or the generation.
pub(crate) fn compile(
    snapshot: &Snapshot,
    number: u32,
    books: &mut Books,
    previous: Option<&Generation>,
) -> Result<Generation, Vec<Rejection>> {
    let mut compiler = Compiler { rejected: Vec::new(), books, previous };
    compiler.count("listeners", snapshot.listeners.len());
    compiler.count("routes", snapshot.routes.len());
    compiler.count("clusters", snapshot.clusters.len());
    let mut listeners: Vec<GenerationListener> =
        snapshot.listeners.iter().enumerate().filter_map(|(index, dto)| compiler.listener(index, dto)).collect();
    let clusters: Vec<GenerationCluster> =
        snapshot.clusters.iter().enumerate().filter_map(|(index, dto)| compiler.cluster(index, dto)).collect();
    let routes: Vec<GenerationRoute> = snapshot
        .routes
        .iter()
        .enumerate()
        .map(|(index, dto)| compiler.route(index, dto, snapshot.clusters.len(), &mut listeners))
        .collect();
    if !compiler.rejected.is_empty() {
        return Err(compiler.rejected);
    }
    let drain_deadline = Duration::from_millis(snapshot.drain_deadline_ms.into());
    let ids = books.names.ids(
        listeners.iter().map(|listener| listener.name.as_str()),
        routes.iter().map(|route| route.name.as_str()),
        clusters.iter().map(|cluster| cluster.name.as_str()),
    );
    Ok(Generation { number, listeners, routes, clusters, ids, records: snapshot.records.clone(), drain_deadline })
}

struct Compiler<'a> {
    rejected: Vec<Rejection>,
    books: &'a mut Books,
    previous: Option<&'a Generation>,
}

impl Compiler<'_> {
    fn count(&mut self, noun: &str, length: usize) {
        if length >= MAX_NOUNS {
            let message = format!("{length} {noun}: at most {} are supported", MAX_NOUNS - 1);
            self.rejected.push(Rejection::new(noun, "WEFT_SNAPSHOT_TOO_LARGE", message));
        }
    }

    fn address(&mut self, path: String, text: &str) -> Option<SocketAddr> {
        let parsed = text.parse().ok();
        if parsed.is_none() {
            let message = format!("`{text}` is not an ip:port or [v6]:port");
            self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_ADDRESS", message));
        }
        parsed
    }

    fn listener(&mut self, index: usize, dto: &Listener) -> Option<GenerationListener> {
        let address = self.address(format!("listeners.{index}.address"), &dto.address)?;
        let access_log = dto.access_log.as_ref().and_then(|log| self.access_log(index, log));
        Some(GenerationListener {
            name: dto.name.clone(),
            address,
            limits: dto.limits,
            head_limits: HeadLimits {
                max_bytes: dto.limits.max_header_bytes as usize,
                max_fields: dto.limits.max_headers as usize,
            },
            access_log,
            abort_on_close: dto.abort_on_close,
            routes: Vec::new(),
        })
    }

    fn access_log(&mut self, index: usize, dto: &AccessLog) -> Option<GenerationLog> {
        let format = Format::compile(&dto.format).map_err(|error| {
            let path = format!("listeners.{index}.accessLog.format");
            self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_LOG_FORMAT", error.message));
        });
        let sink = self.books.logs.open(&dto.path).map_err(|error| {
            let path = format!("listeners.{index}.accessLog.path");
            self.rejected.push(Rejection::new(path, "WEFT_LOG_OPEN", format!("cannot open {}: {error}", dto.path)));
        });
        Some(GenerationLog { format: format.ok()?, sink: sink.ok()? })
    }

    fn cluster(&mut self, index: usize, dto: &Cluster) -> Option<GenerationCluster> {
        let mut endpoints = Vec::with_capacity(dto.endpoints.len());
        for (at, endpoint) in dto.endpoints.iter().enumerate() {
            let socket = self.address(format!("clusters.{index}.endpoints.{at}.address"), &endpoint.address)?;
            endpoints.push(self.books.endpoints.endpoint(&dto.name, socket));
        }
        let turn = self.turn_of(&dto.name);
        Some(GenerationCluster {
            index: u16::try_from(index).unwrap_or(u16::MAX),
            name: dto.name.clone(),
            endpoints,
            connect_timeout: Duration::from_millis(dto.connect_timeout_ms.into()),
            keep_alive_idle: Duration::from_millis(dto.keep_alive_idle_ms.into()),
            turn: AtomicU32::new(turn),
        })
    }

    /// The balancer goes on where it was: a reload must not send every worker back to the first endpoint.
    fn turn_of(&self, cluster: &str) -> u32 {
        let before =
            self.previous.and_then(|generation| generation.clusters.iter().find(|known| known.name == cluster));
        before.map_or(0, |known| known.turn.load(std::sync::atomic::Ordering::Relaxed))
    }

    fn route(
        &mut self,
        index: usize,
        dto: &Route,
        clusters: usize,
        listeners: &mut [GenerationListener],
    ) -> GenerationRoute {
        if dto.cluster as usize >= clusters {
            let message = format!("no cluster has index {}", dto.cluster);
            self.rejected.push(Rejection::new(format!("routes.{index}.cluster"), "WEFT_SNAPSHOT_INDEX", message));
        }
        for (at, listener) in dto.listeners.iter().enumerate() {
            match listeners.get_mut(*listener as usize) {
                Some(known) => known.routes.push(u16::try_from(index).unwrap_or(u16::MAX)),
                None => {
                    let path = format!("routes.{index}.listeners.{at}");
                    let message = format!("no listener has index {listener}");
                    self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_INDEX", message));
                }
            }
        }
        GenerationRoute {
            index: u16::try_from(index).unwrap_or(u16::MAX),
            name: dto.name.clone(),
            cluster: u16::try_from(dto.cluster).unwrap_or(u16::MAX),
            timeout: bound(dto.timeout_ms),
            first_byte_timeout: bound(dto.first_byte_timeout_ms),
            idle_timeout: bound(dto.idle_timeout_ms),
        }
    }
}

fn bound(ms: u32) -> Option<Duration> {
    (ms > 0).then(|| Duration::from_millis(ms.into()))
}
