//! When a listener sheds.

use std::time::Duration;

use super::{Compiler, Rejection};
use crate::snapshot::Overload as Settings;
use crate::worker::overload::{Criticality, MOST_CLASSES, Memory, Overload};

impl Compiler<'_> {
    pub(super) fn overload(&mut self, index: usize, dto: &Settings) -> Overload {
        if let Some(criticality) = &dto.criticality
            && !(1..=MOST_CLASSES).contains(&criticality.order.len())
        {
            let path = format!("listeners.{index}.overload.criticality.order");
            let message = format!("{} classes: there may be 1 to {MOST_CLASSES}", criticality.order.len());
            self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_OVERLOAD", message));
        }
        Overload {
            memory: dto.memory.as_ref().map(|memory| Memory {
                limit: memory.limit_kib.map(|kib| u64::from(kib) * 1024),
                shed_at: memory.shed_at_percent as f32 / 100.0,
            }),
            lag: dto.event_loop_lag_ms.map(|ms| Duration::from_millis(ms.into())),
            cpu: dto.cpu_percent.map(|percent| percent as f32 / 100.0),
            criticality: dto.criticality.as_ref().map(|dto| Criticality {
                header: dto.header.as_str().into(),
                order: dto.order.iter().map(|class| class.as_str().into()).collect(),
            }),
        }
    }
}
