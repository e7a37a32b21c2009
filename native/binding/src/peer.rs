//! Who is at the other end of a Unix socket, as the kernel says.

use std::os::fd::BorrowedFd;

use napi::Result;
use napi_derive::napi;
use rustix::net::sockopt::socket_peercred;

use crate::error::{failed, guarded};

/// JSON `{uid, gid, pid}` of the process that connected the Unix socket with this descriptor.
#[napi]
pub fn read_peer(descriptor: i32) -> Result<String> {
    guarded("readPeer", || {
        if descriptor < 0 {
            return Err(failed("readPeer", &"the socket is closed"));
        }
        // SAFETY: the caller holds the socket open for the length of this call, which ends within this turn of its loop.
        let socket = unsafe { BorrowedFd::borrow_raw(descriptor) };
        let peer = socket_peercred(socket).map_err(|error| failed("readPeer", &error))?;
        let (uid, gid, pid) = (peer.uid.as_raw(), peer.gid.as_raw(), peer.pid.as_raw_nonzero().get());
        Ok(serde_json::json!({ "uid": uid, "gid": gid, "pid": pid }).to_string())
    })
}
