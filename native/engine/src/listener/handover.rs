//! Listening sockets on their way from a process that ends to the one that follows it, over a unix socket
//! (`SCM_RIGHTS`, unix(7)).
//!
//! A descriptor that was handed over is the same socket in both processes: what waits in its accept queue belongs to
//! whoever accepts it first, so nothing is lost between the two. Each line of JSON travels with one descriptor; a line
//! without one ends the list.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg, sockopt,
};
use serde::{Deserialize, Serialize};

/// What a follower asks for; the rest of the conversation is between the two orchestrators.
const ASK: &[u8] = b"{\"ask\":\"sockets\"}\n";
const END: &[u8] = b"{\"end\":true}\n";
/// More than any proxy listens on.
const MAX_SOCKETS: usize = 16 * 1024;
/// Longest list, in bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A listening socket and what it belongs to.
#[derive(Debug)]
pub struct Handed {
    /// What it belongs to.
    pub label: Label,
    /// The socket.
    pub socket: OwnedFd,
}

/// What a listening socket belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Address as configured.
    pub address: String,
    /// The listener's name where the address alone does not tell listeners apart: port 0.
    pub name: Option<String>,
    /// The worker that accepted from it.
    pub worker: usize,
}

/// Sends sockets to the process at the other end of `stream`, which must belong to the same user.
pub fn send(stream: BorrowedFd<'_>, sockets: &[Handed]) -> io::Result<()> {
    expect_same_user(stream)?;
    for Handed { label, socket } in sockets {
        let mut line = serde_json::to_vec(label)?;
        line.push(b'\n');
        send_line(stream, &line, Some(socket.as_fd()))?;
    }
    send_line(stream, END, None)
}

/// Asks the process that listens at `path` for its sockets. `None`: no process does.
pub fn receive(path: &Path, patience: Duration) -> io::Result<Option<Vec<Handed>>> {
    let stream = match UnixStream::connect(path) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    expect_same_user(stream.as_fd())?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    io::Write::write_all(&mut &stream, ASK)?;
    let mut bytes = Vec::new();
    let mut sockets = Vec::new();
    while !bytes.ends_with(END) {
        if bytes.len() > MAX_BYTES || sockets.len() > MAX_SOCKETS {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the list of sockets does not end"));
        }
        receive_part(stream.as_fd(), &mut bytes, &mut sockets)?;
    }
    paired(&bytes, sockets).map(Some)
}

fn paired(bytes: &[u8], sockets: Vec<OwnedFd>) -> io::Result<Vec<Handed>> {
    let lines = bytes.strip_suffix(END).unwrap_or_default().split(|byte| *byte == b'\n');
    let labels: Vec<Label> =
        lines.filter(|line| !line.is_empty()).map(serde_json::from_slice).collect::<Result<_, _>>()?;
    if labels.len() != sockets.len() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a socket did not come with its name"));
    }
    Ok(labels.into_iter().zip(sockets).map(|(label, socket)| Handed { label, socket }).collect())
}

fn send_line(stream: BorrowedFd<'_>, line: &[u8], socket: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = socket.as_slice();
    if !descriptors.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    let sent = sendmsg(stream, &[IoSlice::new(line)], &mut control, SendFlags::NOSIGNAL)?;
    // A line is far below a unix socket's buffer: part of one means that the reader does not read.
    if sent == line.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

fn receive_part(stream: BorrowedFd<'_>, bytes: &mut Vec<u8>, sockets: &mut Vec<OwnedFd>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut part = [0; 4096];
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(stream, &mut [IoSliceMut::new(&mut part)], &mut control, flags)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            sockets.extend(descriptors);
        }
    }
    if received.bytes == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the process ended amid its list of sockets"));
    }
    bytes.extend_from_slice(part.get(..received.bytes).unwrap_or_default());
    Ok(())
}

/// Descriptors go to, and are taken from, the same user or root only.
fn expect_same_user(stream: BorrowedFd<'_>) -> io::Result<()> {
    let other = sockopt::socket_peercred(stream)?.uid;
    if other == rustix::process::geteuid() || other.is_root() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "the process at the other end belongs to another user"))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A path for a unix socket, removed with its test.
    struct Scratch(std::path::PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("weft-handover-{}-{name}", std::process::id())))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn label(worker: usize) -> Label {
        Label { address: "127.0.0.1:0".to_owned(), name: Some("edge".to_owned()), worker }
    }

    #[test]
    fn a_socket_arrives_with_its_name_and_its_queue() {
        let path = Scratch::new("door");
        let door = UnixListener::bind(&path.0).unwrap();
        let listening = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listening.local_addr().unwrap();
        let _waiting = TcpStream::connect(address).unwrap();
        let old = std::thread::spawn(move || {
            let (stream, _) = door.accept().unwrap();
            let mut asked = [0; ASK.len()];
            io::Read::read_exact(&mut &stream, &mut asked).unwrap();
            assert_eq!(asked, ASK);
            let sockets: Vec<Handed> = (0..40)
                .map(|worker| Handed { label: label(worker), socket: listening.try_clone().unwrap().into() })
                .collect();
            send(stream.as_fd(), &sockets).unwrap();
        });
        let handed = receive(&path.0, Duration::from_secs(5)).unwrap().unwrap();
        old.join().unwrap();
        assert_eq!(handed.len(), 40);
        assert_eq!(handed[39].label, label(39));
        let taken = TcpListener::from(handed.into_iter().next().unwrap().socket);
        assert_eq!(taken.local_addr().unwrap(), address);
        taken.accept().unwrap();
    }

    #[test]
    fn nobody_at_the_path_is_not_an_error() {
        assert!(receive(&Scratch::new("none").0, Duration::from_secs(1)).unwrap().is_none());
        let dead = Scratch::new("dead");
        drop(UnixListener::bind(&dead.0).unwrap());
        assert!(receive(&dead.0, Duration::from_secs(1)).unwrap().is_none());
    }

    #[test]
    fn a_process_that_does_not_answer_is_not_waited_for_long() {
        let path = Scratch::new("mute");
        let _mute = UnixListener::bind(&path.0).unwrap();
        let error = receive(&path.0, Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{error}");
    }

    #[test]
    fn a_list_that_lies_is_refused() {
        for (at, said) in [
            &b"{\"address\":\"a\",\"name\":null,\"worker\":0}\n{\"end\":true}\n"[..],
            b"{}\n{\"end\":true}\n",
            b"{\"add",
        ]
        .into_iter()
        .enumerate()
        {
            let path = Scratch::new(&at.to_string());
            let door = UnixListener::bind(&path.0).unwrap();
            let liar = std::thread::spawn(move || {
                let (stream, _) = door.accept().unwrap();
                let mut asked = [0; ASK.len()];
                io::Read::read_exact(&mut &stream, &mut asked).unwrap();
                io::Write::write_all(&mut &stream, said).unwrap();
            });
            assert!(receive(&path.0, Duration::from_secs(5)).is_err());
            liar.join().unwrap();
        }
    }
}
