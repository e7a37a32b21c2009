//! Records → endpoints. Pure.

use std::net::{IpAddr, SocketAddr};

use weft_rt::Addr;

use crate::snapshot::Reach;
use crate::upstream::connection::race;

/// An endpoint as records describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) reach: Reach,
    pub(super) weight: u32,
}

/// The addresses of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) a: Vec<IpAddr>,
    pub(super) aaaa: Vec<IpAddr>,
}

/// A target of SRV records (RFC 2782), with its addresses.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) addresses: Addresses,
}

/// The endpoints behind a name. Each address is one; but a name that has one address of each family is a single host,
/// and so is one endpoint with both. Several of both families are most likely the same hosts twice: IPv4 is taken.
pub(super) fn of_addresses(name: &str, port: u16, single: bool, addresses: &Addresses) -> Vec<Found> {
    let pair = addresses.a.len() == 1 && addresses.aaaa.len() == 1;
    if single || pair {
        return one(name, port, 1, addresses).into_iter().collect();
    }
    let family = if addresses.a.is_empty() { &addresses.aaaa } else { &addresses.a };
    let mut sorted = family.clone();
    sorted.sort_unstable();
    sorted.dedup();
    let endpoint = |ip| {
        let address = SocketAddr::new(ip, port);
        Found { name: address.to_string(), reach: Reach::from(address), weight: 1 }
    };
    sorted.into_iter().map(endpoint).collect()
}

/// The endpoints behind SRV records: each target is one, those of the most preferred priority of which any resolves.
pub(super) fn of_targets(targets: &[Target]) -> Vec<Found> {
    let resolved = |target: &&Target| target.addresses != Addresses::default();
    let Some(priority) = targets.iter().filter(resolved).map(|target| target.priority).min() else { return Vec::new() };
    let preferred = targets.iter().filter(|target| target.priority == priority);
    // A weight of 0 means "seldom", which next to larger ones 1 is.
    let endpoint = |target: &Target| one(&target.host, target.port, target.weight.max(1).into(), &target.addresses);
    let mut found: Vec<Found> = preferred.filter_map(endpoint).collect();
    // Resolvers turn the records round with each answer.
    found.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    found
}

/// One endpoint with all its addresses.
fn one(name: &str, port: u16, weight: u32, addresses: &Addresses) -> Option<Found> {
    let mut all: Vec<IpAddr> = [addresses.a.clone(), addresses.aaaa.clone()].concat();
    // Resolvers turn the records round with each answer: that is no change.
    all.sort_unstable();
    all.dedup();
    let ordered = race::order(all.into_iter().map(|ip| SocketAddr::new(ip, port)));
    let addresses: Vec<Addr> = ordered.into_iter().map(Addr::Tcp).collect();
    (!addresses.is_empty()).then(|| Found { name: format!("{name}:{port}"), reach: Reach::Several(addresses), weight })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(a: &[&str], aaaa: &[&str]) -> Addresses {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Addresses { a: parse(a), aaaa: parse(aaaa) }
    }

    fn names(found: &[Found]) -> Vec<String> {
        found.iter().map(|found| format!("{}={}", found.name, found.weight)).collect()
    }

    #[test]
    fn each_address_is_an_endpoint_whatever_the_order_of_the_records() {
        let wanted = ["10.0.0.1:80=1", "10.0.0.2:80=1"];
        let turned = addresses(&["10.0.0.2", "10.0.0.1", "10.0.0.2"], &[]);
        assert_eq!(names(&of_addresses("app", 80, false, &turned)), wanted);
        let newer = addresses(&[], &["fd00::1", "fd00::2"]);
        assert_eq!(names(&of_addresses("app", 80, false, &newer)), ["[fd00::1]:80=1", "[fd00::2]:80=1"]);
    }

    #[test]
    fn hosts_that_have_both_families_are_not_counted_twice() {
        let both = addresses(&["10.0.0.1", "10.0.0.2"], &["fd00::1", "fd00::2"]);
        assert_eq!(names(&of_addresses("app", 80, false, &both)), ["10.0.0.1:80=1", "10.0.0.2:80=1"]);
    }

    #[test]
    fn a_name_with_one_address_of_each_family_is_one_endpoint_with_both() {
        let found = of_addresses("app", 80, false, &addresses(&["10.0.0.1"], &["fd00::1"]));
        assert_eq!(names(&found), ["app:80=1"]);
        let ordered = ["[fd00::1]:80", "10.0.0.1:80"].map(|text| Addr::Tcp(text.parse().unwrap()));
        assert_eq!(found[0].reach, Reach::Several(ordered.into()));
    }

    #[test]
    fn a_single_endpoint_has_all_the_addresses() {
        let found = of_addresses("app", 80, true, &addresses(&["10.0.0.2", "10.0.0.1"], &[]));
        assert_eq!(names(&found), ["app:80=1"]);
        assert!(matches!(&found[0].reach, Reach::Several(addresses) if addresses.len() == 2));
    }

    #[test]
    fn targets_are_taken_from_the_most_preferred_priority_that_resolves() {
        let target = |priority, weight, host: &str, ip: &[&str]| Target {
            priority,
            weight,
            host: host.to_owned(),
            port: 8080,
            addresses: addresses(ip, &[]),
        };
        let gone = target(0, 5, "gone", &[]);
        let targets = [
            gone,
            target(1, 70, "a", &["10.0.0.1"]),
            target(1, 0, "b", &["10.0.0.2"]),
            target(2, 9, "c", &["10.0.0.3"]),
        ];
        assert_eq!(names(&of_targets(&targets)), ["a:8080=70", "b:8080=1"]);
        assert_eq!(names(&of_targets(&targets[..1])), [""; 0]);
    }
}
