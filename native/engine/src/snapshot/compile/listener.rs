//! Listeners and their logs.

use std::path::PathBuf;

use weft_rt::Addr;

use super::{Compiler, Rejection};
use crate::http::parse::HeadLimits;
use crate::route::Table;
use crate::snapshot::{AccessLog, GenerationListener, GenerationLog, Listener};
use crate::telemetry::access_log::Format;

impl Compiler<'_> {
    pub(super) fn listener(&mut self, index: usize, dto: &Listener) -> Option<GenerationListener> {
        let address = match dto.address.as_str() {
            "memory" if dto.door => Addr::Unix(PathBuf::new()),
            text => self.listen_address(format!("listeners.{index}.address"), text)?,
        };
        if dto.door && matches!(&address, Addr::Unix(path) if !path.as_os_str().is_empty()) {
            let path = format!("listeners.{index}.address");
            self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_ADDRESS", "a door listens on TCP only"));
        }
        let access_log = dto.access_log.as_ref().and_then(|log| self.access_log(index, log));
        let filters = self.filters("listeners", index, &dto.name, &dto.filters);
        Some(GenerationListener {
            name: dto.name.clone(),
            address,
            direction: dto.direction,
            door: dto.door,
            sockets: if dto.door { dto.sockets.clone() } else { Vec::new() },
            limits: dto.limits,
            head_limits: HeadLimits {
                max_bytes: dto.limits.max_header_bytes as usize,
                max_fields: dto.limits.max_headers as usize,
            },
            access_log,
            overrides: dto.overrides.clone(),
            abort_on_close: dto.abort_on_close,
            // Filled when the routes are compiled.
            table: Table::default(),
            max_request_bytes: bytes_bound(dto.limits.max_request_bytes),
            trusted_hops: usize::try_from(dto.trusted_hops).unwrap_or(usize::MAX),
            socket_mode: dto.socket_mode,
            filters,
            overload: dto.overload.as_ref().map(|dto| Box::new(self.overload(index, dto))),
        })
    }

    fn access_log(&mut self, index: usize, dto: &AccessLog) -> Option<GenerationLog> {
        let format = Format::compile(&dto.format, self.redact).map_err(|error| {
            let path = format!("listeners.{index}.accessLog.format");
            self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_LOG_FORMAT", error.message));
        });
        let sink = self.books.logs.open(&dto.path).map_err(|error| {
            let path = format!("listeners.{index}.accessLog.path");
            self.rejected.push(Rejection::new(path, "WEFT_LOG_OPEN", format!("cannot open {}: {error}", dto.path)));
        });
        Some(GenerationLog { format: format.ok()?, sink: sink.ok()? })
    }
}

/// Bytes as they cross the boundary; 0 is no bound.
fn bytes_bound(bytes: u32) -> u64 {
    if bytes == 0 { u64::MAX } else { bytes.into() }
}
