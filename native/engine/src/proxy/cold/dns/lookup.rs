//! One name, asked for again and again: what the records say now, filled up with what they said before where a part
//! of the answer did not come.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::task::JoinSet;

use super::records::{Addresses, Found, Target, of_addresses, of_targets};
use crate::snapshot::{Dns, DnsRecord};

/// Records of one type and how long they may be kept; none: there are no such records.
type Records = Option<(Vec<Record>, Duration)>;

/// What a lookup found.
pub(super) struct Answer {
    pub(super) found: Vec<Found>,
    pub(super) ttl: Duration,
}

/// What was found under a name before.
#[derive(Default)]
pub(super) struct Lookup {
    addresses: Addresses,
    targets: HashMap<String, Addresses>,
}

impl Lookup {
    /// Asks. An error says why nothing can be said; what was found before is then still the best there is.
    pub(super) async fn ask(&mut self, resolver: &Rc<TokioResolver>, dns: &Dns) -> Result<Answer, String> {
        let (found, ttl) = match dns.record {
            DnsRecord::Srv => self.ask_targets(resolver, &dns.name).await?,
            record => {
                let (addresses, ttl) = ask_addresses(resolver, &dns.name, record, &self.addresses).await?;
                self.addresses = addresses;
                (of_addresses(&dns.name, dns.port, dns.single, &routable(&self.addresses)), ttl)
            }
        };
        if found.is_empty() { Err(format!("{} has no addresses", dns.name)) } else { Ok(Answer { found, ttl }) }
    }

    async fn ask_targets(
        &mut self,
        resolver: &Rc<TokioResolver>,
        name: &str,
    ) -> Result<(Vec<Found>, Duration), String> {
        let (records, mut ttl) =
            ask(resolver, name, RecordType::SRV).await?.ok_or_else(|| format!("{name} has no SRV records"))?;
        let mut targets = Vec::new();
        let mut asking = JoinSet::new();
        for record in &records {
            // A target of "." means that the service is decidedly not available (RFC 2782).
            if let RData::SRV(srv) = &record.data
                && !srv.target.is_root()
            {
                let host = srv.target.to_utf8();
                let known = self.targets.get(&host).cloned().unwrap_or_default();
                let resolver = Rc::clone(resolver);
                let place = targets.len();
                asking.spawn_local({
                    let host = host.clone();
                    async move { (place, ask_addresses(&resolver, &host, DnsRecord::Address, &known).await, known) }
                });
                let (priority, weight, port) = (srv.priority, srv.weight, srv.port);
                targets.push(Target { priority, weight, host, port, addresses: Addresses::default() });
            }
        }
        while let Some(Ok((place, asked, known))) = asking.join_next().await {
            let addresses = asked.map_or(known, |(addresses, its_ttl)| {
                ttl = ttl.min(its_ttl);
                addresses
            });
            if let Some(target) = targets.get_mut(place) {
                target.addresses = routable(&addresses);
                target.host.truncate(target.host.trim_end_matches('.').len());
            }
        }
        self.targets = targets.iter().map(|target| (format!("{}.", target.host), target.addresses.clone())).collect();
        Ok((of_targets(&targets), ttl))
    }
}

/// The addresses of a name. A family that could not be asked for keeps those that are `known`.
async fn ask_addresses(
    resolver: &TokioResolver,
    name: &str,
    record: DnsRecord,
    known: &Addresses,
) -> Result<(Addresses, Duration), String> {
    let (a, aaaa) = match record {
        DnsRecord::A => (ask(resolver, name, RecordType::A).await, Ok(None)),
        DnsRecord::Aaaa => (Ok(None), ask(resolver, name, RecordType::AAAA).await),
        DnsRecord::Address | DnsRecord::Srv => {
            tokio::join!(ask(resolver, name, RecordType::A), ask(resolver, name, RecordType::AAAA))
        }
    };
    let mut ttl = None;
    let mut error = None;
    let mut family = |asked: Result<Records, String>, known: &[IpAddr]| match asked {
        Ok(None) => Vec::new(),
        Ok(Some((records, its_ttl))) => {
            ttl = Some(ttl.map_or(its_ttl, |ttl: Duration| ttl.min(its_ttl)));
            records.iter().filter_map(|record| record.data.ip_addr()).collect()
        }
        Err(why) => {
            error = Some(why);
            known.to_vec()
        }
    };
    let addresses = Addresses { a: family(a, &known.a), aaaa: family(aaaa, &known.aaaa) };
    match (ttl, error) {
        (Some(ttl), _) => Ok((addresses, ttl)),
        (None, Some(error)) => Err(error),
        (None, None) => Err(format!("{name} has no addresses")),
    }
}

async fn ask(resolver: &TokioResolver, name: &str, kind: RecordType) -> Result<Records, String> {
    let parsed = Name::from_str_relaxed(name).map_err(|error| format!("{name} is no name: {error}"))?;
    resolver.clear_cache();
    match resolver.lookup(parsed, kind).await {
        Ok(lookup) => {
            let ttl = lookup.valid_until().saturating_duration_since(Instant::now());
            // What is left of a second belongs to the second that was said.
            let ttl = Duration::from_secs(ttl.as_millis().div_ceil(1000) as u64);
            let records = lookup.answers().iter().filter(|record| record.record_type() == kind).cloned().collect();
            Ok(Some((records, ttl)))
        }
        Err(error) if error.is_no_records_found() => Ok(None),
        Err(error) => Err(format!("{kind} {name}: {error}")),
    }
}

/// The addresses that this machine has a route to; all of them when it has one to none.
fn routable(addresses: &Addresses) -> Addresses {
    let reach = |family: &[IpAddr]| family.iter().copied().filter(|ip| has_route(*ip)).collect();
    let reached = Addresses { a: reach(&addresses.a), aaaa: reach(&addresses.aaaa) };
    if reached == Addresses::default() { addresses.clone() } else { reached }
}

/// Whether the system would know where to send (RFC 6724 section 6, rule 1). Connecting a datagram socket sends nothing.
fn has_route(ip: IpAddr) -> bool {
    let any: IpAddr = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    UdpSocket::bind(SocketAddr::new(any, 0)).and_then(|socket| socket.connect(SocketAddr::new(ip, 9))).is_ok()
}
