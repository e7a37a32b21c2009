//! Clusters and their endpoints.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::Compiler;
use crate::snapshot::{Cluster, GenerationCluster};

impl Compiler<'_> {
    pub(super) fn cluster(&mut self, index: usize, dto: &Cluster) -> Option<GenerationCluster> {
        let mut endpoints = Vec::with_capacity(dto.endpoints.len());
        for (at, endpoint) in dto.endpoints.iter().enumerate() {
            let socket = self.address(format!("clusters.{index}.endpoints.{at}.address"), &endpoint.address)?;
            endpoints.push(self.books.endpoints.endpoint(&dto.name, socket));
        }
        let filters = self.filters(&format!("clusters.{index}"), &format!("cluster {}", dto.name), &dto.filters);
        let turn = self.turn_of(&dto.name);
        Some(GenerationCluster {
            index: u16::try_from(index).unwrap_or(u16::MAX),
            name: dto.name.clone(),
            endpoints,
            connect_timeout: Duration::from_millis(dto.connect_timeout_ms.into()),
            keep_alive_idle: Duration::from_millis(dto.keep_alive_idle_ms.into()),
            limits: self.limits(dto),
            turn: AtomicU32::new(turn),
            filters,
        })
    }

    /// The balancer goes on where it was: a reload must not send every worker back to the first endpoint.
    fn turn_of(&self, cluster: &str) -> u32 {
        let before =
            self.previous.and_then(|generation| generation.clusters.iter().find(|known| known.name == cluster));
        before.map_or(0, |known| known.turn.load(Ordering::Relaxed))
    }
}
