//! Routes and what they refer to.

use super::retry::retry;
use super::{Compiler, Rejection, bound};
use crate::snapshot::{GenerationListener, GenerationRoute, Route};

impl Compiler<'_> {
    pub(super) fn route(
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
            retry: dto.retry.as_ref().map(|dto| Box::new(retry(dto))),
        }
    }
}
