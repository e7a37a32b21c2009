//! Whom to ask: the system's name servers as `/etc/resolv.conf` has them at the moment, or those of the configuration.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::Name;

const RESOLV_CONF: &str = "/etc/resolv.conf";
const HOSTS: &str = "/etc/hosts";
/// For one query to one of the configured name servers. The system's have what resolv.conf says.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Resolvers in use, one for each list of name servers.
#[derive(Default)]
pub(in crate::proxy::cold) struct Resolvers {
    known: HashMap<Vec<SocketAddr>, Known>,
}

struct Known {
    resolver: Rc<TokioResolver>,
    /// When the files that it was made from were written.
    written: [Option<SystemTime>; 2],
}

impl Resolvers {
    /// The resolver that asks these; for an empty list the system's, made anew when its files have changed.
    pub(super) fn of(&mut self, servers: &[SocketAddr]) -> Result<Rc<TokioResolver>, String> {
        let written = [RESOLV_CONF, HOSTS].map(|path| std::fs::metadata(path).and_then(|known| known.modified()).ok());
        if let Some(known) = self.known.get(servers).filter(|known| known.written == written) {
            return Ok(Rc::clone(&known.resolver));
        }
        let resolver = Rc::new(build(servers).map_err(|error| format!("no resolver: {error}"))?);
        self.known.insert(servers.to_vec(), Known { resolver: Rc::clone(&resolver), written });
        Ok(resolver)
    }
}

fn build(servers: &[SocketAddr]) -> Result<TokioResolver, String> {
    let (config, system) = if servers.is_empty() {
        let (config, system) = read_system()?;
        (config, Some(system))
    } else {
        (ResolverConfig::from_name_servers(servers.iter().map(|server| name_server(*server)).collect()), None)
    };
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    // The cold thread asks when a TTL has passed: an answer kept here would only be older.
    options.cache_size = 0;
    options.timeout = QUERY_TIMEOUT;
    options.use_hosts_file = if servers.is_empty() { ResolveHosts::Auto } else { ResolveHosts::Never };
    if let Some(system) = system {
        options.ndots = system.ndots as usize;
        options.timeout = Duration::from_secs(system.timeout.max(1).into());
        options.attempts = system.attempts as usize;
    }
    builder.build().map_err(|error| error.to_string())
}

fn name_server(server: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    NameServerConfig::new(server.ip(), true, connections.into())
}

fn read_system() -> Result<(ResolverConfig, resolv_conf::Config), String> {
    let text = std::fs::read(RESOLV_CONF).map_err(|error| format!("cannot read {RESOLV_CONF}: {error}"))?;
    let (system, _broken_lines) = resolv_conf::Config::parse_with_errors(&text);
    let servers: Vec<NameServerConfig> =
        system.nameservers.iter().map(|ip| name_server(SocketAddr::new(ip.into(), 53))).collect();
    if servers.is_empty() {
        return Err(format!("{RESOLV_CONF} names no name server"));
    }
    let search = system.get_last_search_or_domain().filter_map(|domain| Name::from_str_relaxed(domain).ok()).collect();
    Ok((ResolverConfig::from_parts(None, search, servers), system))
}
