//! Addresses as text.

use std::net::SocketAddr;
use std::path::PathBuf;

use weft_rt::Addr;

use super::{Compiler, Rejection};

/// What fits into `sockaddr_un` behind the name's end.
const MAX_UNIX_BYTES: usize = 107;

/// An address: `ip:port`, `[v6]:port`, `unix:/path` or `unix:@name` for Linux's abstract names.
pub(crate) fn address(text: &str) -> Result<Addr, Rejection> {
    let refusal = match text.strip_prefix("unix:") {
        None => match text.parse() {
            Ok(socket) => return Ok(Addr::Tcp(socket)),
            Err(_) => format!("`{text}` is not ip:port, [v6]:port, unix:/path or unix:@name"),
        },
        Some("" | "@") => "a unix socket needs a path or an @name".to_owned(),
        Some(name) if name.len() > MAX_UNIX_BYTES => {
            format!("the path of a unix socket has at most {MAX_UNIX_BYTES} bytes, `{name}` has {}", name.len())
        }
        Some(name) => {
            let unix = name.strip_prefix('@').map_or_else(|| name.to_owned(), |name| format!("\0{name}"));
            return Ok(Addr::Unix(PathBuf::from(unix)));
        }
    };
    Err(Rejection::new("address", "WEFT_SNAPSHOT_ADDRESS", refusal))
}

impl Compiler<'_> {
    /// Where a listener listens.
    pub(super) fn listen_address(&mut self, path: String, text: &str) -> Option<Addr> {
        address(text).map_err(|rejection| self.rejected.push(Rejection { path, ..rejection })).ok()
    }

    /// Where a name server answers.
    pub(super) fn socket(&mut self, path: String, text: &str) -> Option<SocketAddr> {
        let parsed = text.parse().ok();
        if parsed.is_none() {
            let message = format!("`{text}` is not ip:port or [v6]:port");
            self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_ADDRESS", message));
        }
        parsed
    }
}
