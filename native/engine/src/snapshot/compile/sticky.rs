//! What keeps requests together, and the balancers that go by it.

use super::{Compiler, Rejection};
use crate::route::{Expression, Sticky, StickyCookie};
use crate::snapshot::{Cluster, CookieKey, LoadBalancer, StickyKey};

/// More places would be more than a pick gains by them (Envoy's bound).
const MAX_TABLE: u32 = 5_000_011;
/// Hashes on a ring at most (Envoy's bound).
const MAX_RING: u32 = 8_388_608;

impl Compiler<'_> {
    /// A key; `None` when it is an expression that was refused.
    pub(super) fn sticky(&mut self, at: impl FnOnce() -> String, dto: &StickyKey) -> Option<Sticky> {
        Some(match dto {
            StickyKey::Header(name) => Sticky::Header(name.as_str().into()),
            StickyKey::Cookie(CookieKey { name, ttl_s, path }) => {
                Sticky::Cookie(StickyCookie { name: name.as_str().into(), ttl_s: *ttl_s, path: path.as_str().into() })
            }
            StickyKey::Query(name) => Sticky::Query(name.as_str().into()),
            StickyKey::ClientAddress => Sticky::ClientAddress,
            StickyKey::Cel(source) => Sticky::Cel(self.expression(at() + ".cel", source, Expression::key)?),
        })
    }

    /// Tables that could not be made are refused here.
    pub(super) fn check_balancer(&mut self, index: usize, dto: &Cluster) {
        let mut refuse = |key: &str, message: String| {
            let path = format!("clusters.{index}.loadBalancer.{key}");
            self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_LOAD_BALANCER", message));
        };
        match dto.load_balancer {
            LoadBalancer::Maglev { table_size, .. } if !is_prime(table_size) || table_size > MAX_TABLE => {
                refuse("tableSize", format!("{table_size} is not a prime number up to {MAX_TABLE}"));
            }
            LoadBalancer::RingHash { min_ring, max_ring, .. }
                if min_ring == 0 || min_ring > max_ring || max_ring > MAX_RING =>
            {
                refuse("minRing", format!("{min_ring} to {max_ring} hashes are not a part of 1 to {MAX_RING}"));
            }
            _ => {}
        }
        if dto.load_balancer.bounded_load().is_some_and(|percent| percent < 100) {
            refuse("boundedLoad", "must be at least 100%, or no endpoint had room".to_owned());
        }
    }
}

fn is_prime(number: u32) -> bool {
    let divides = |divisor: &u32| number.is_multiple_of(*divisor);
    number > 1 && !(2..).take_while(|divisor| divisor * divisor <= number).any(|divisor| divides(&divisor))
}
