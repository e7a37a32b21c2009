//! Addresses as text.

use std::path::PathBuf;

use weft_rt::Addr;

use super::{Compiler, Rejection};

/// What fits into `sockaddr_un` behind the name's end.
const MAX_UNIX_BYTES: usize = 107;

impl Compiler<'_> {
    /// Where a listener listens: `ip:port`, `[v6]:port`, `unix:/path` or `unix:@name` for Linux's abstract names.
    pub(super) fn listen_address(&mut self, path: String, text: &str) -> Option<Addr> {
        let refusal = match text.strip_prefix("unix:") {
            None => match text.parse() {
                Ok(socket) => return Some(Addr::Tcp(socket)),
                Err(_) => format!("`{text}` is not ip:port, [v6]:port, unix:/path or unix:@name"),
            },
            Some("" | "@") => "a unix socket needs a path or an @name".to_owned(),
            Some(name) if name.len() > MAX_UNIX_BYTES => {
                format!("the path of a unix socket has at most {MAX_UNIX_BYTES} bytes, `{name}` has {}", name.len())
            }
            Some(name) => {
                let unix = name.strip_prefix('@').map_or_else(|| name.to_owned(), |name| format!("\0{name}"));
                return Some(Addr::Unix(PathBuf::from(unix)));
            }
        };
        self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_ADDRESS", refusal));
        None
    }
}
