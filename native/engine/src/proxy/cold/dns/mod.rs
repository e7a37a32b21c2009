//! Discovery by DNS: one task for each cluster that has a name, asking as often as its records may be kept.
//!
//! A resolver that fails, or that has no records where it had some, takes nothing away: the endpoints that were found
//! last stay until others are found.

mod lookup;
mod pace;
mod records;
mod resolvers;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

pub(super) use resolvers::Resolvers;

use self::lookup::{Answer, Lookup};
use self::pace::Pace;
use crate::proxy::Proxy;
use crate::snapshot::{Place, Resolution, Wanted};

/// Follows a name until it is dropped, or until the proxy has gone.
pub(super) async fn follow(
    proxy: Weak<Proxy>,
    cluster: String,
    resolution: Arc<Resolution>,
    resolvers: Rc<RefCell<Resolvers>>,
) {
    let mut lookup = Lookup::default();
    let mut pace = Pace::new(Duration::from_millis(resolution.dns.refresh_ms.into()));
    loop {
        let resolver = resolvers.borrow_mut().of(&resolution.resolvers);
        let asked = match resolver {
            Ok(resolver) => lookup.ask(&resolver, &resolution.dns).await,
            Err(error) => Err(error),
        };
        let (error, wait) = match asked {
            Ok(Answer { found, ttl }) => {
                let Some(proxy) = proxy.upgrade() else { return };
                let wanted = found.into_iter().map(|found| Wanted {
                    name: found.name,
                    reach: found.reach,
                    weight: found.weight,
                    place: Place::default(),
                });
                proxy.change_endpoints(&cluster, wanted.collect(), &[], true);
                (None, pace.after_answer(ttl))
            }
            Err(error) => (Some(error), pace.after_failure(fastrand::f64())),
        };
        resolution.asked(error, u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        weft_rt::sleep(wait).await;
    }
}
