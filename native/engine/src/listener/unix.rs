//! Unix sockets to listen on, and the files that stand for them.
//!
//! The kernel leaves the file behind when a process dies, and refuses to bind where a file stands. A file at which
//! nobody answers is therefore taken away first, one at which somebody does never. Our own file is removed at the end,
//! unless another process has put its own in its place meanwhile. Linux's abstract names have no file and need none of
//! this.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use super::bind::BACKLOG;

/// A socket's file that this process made; removed on drop.
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode: what tells our file from a successor's.
    identity: (u64, u64),
}

impl SocketFile {
    /// The file of a socket that another process made and handed over; `None` when it is gone or the name is abstract.
    pub(super) fn of(path: &Path) -> Option<Self> {
        identity(path).ok().map(|identity| Self { path: path.to_owned(), identity })
    }

    /// Leaves the file to another process.
    pub(super) fn leave(mut self) {
        self.identity = (0, 0);
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            // Who cannot remove it leaves a dead file, which the next start removes.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A socket that listens at a path, or at an abstract name where the path begins with a NUL.
pub(super) fn bind(path: &Path, mode: Option<u32>) -> io::Result<(Socket, Option<SocketFile>)> {
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
    if path.as_os_str().as_bytes().first() == Some(&0) {
        socket.bind(&address)?;
        socket.listen(BACKLOG)?;
        return Ok((socket, None));
    }
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_dead(path, &address)?;
            socket.bind(&address)?;
        }
        bound => bound?,
    }
    let file = SocketFile { path: path.to_owned(), identity: identity(path)? };
    // Before it listens: nobody connects with permissions that were not meant.
    if let Some(mode) = mode {
        permit(path, mode)?;
    }
    socket.listen(BACKLOG)?;
    Ok((socket, Some(file)))
}

/// Sets the permissions of a socket's file.
pub(super) fn permit(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Removes the file of a socket that nobody listens at.
fn remove_dead(path: &Path, address: &SockAddr) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        let message = "a file stands there that is not a socket: move it, or choose another path";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
    match probe.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        // Removed by its owner meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // Connected, or its queue is full: somebody lives there.
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    /// A folder of this test's own, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("weft-unix-{name}-{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_file_has_the_mode_that_was_asked_for_and_goes_at_the_end() {
        let folder = Folder::new("mode");
        let path = folder.0.join("a.sock");
        let (_socket, file) = bind(&path, Some(0o620)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o620);
        UnixStream::connect(&path).unwrap();
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_dead_file_makes_room_and_a_living_one_does_not() {
        let folder = Folder::new("dead");
        let path = folder.0.join("a.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "the kernel leaves the file behind");
        let (_socket, _file) = bind(&path, None).unwrap();
        assert_eq!(bind(&path, None).err().unwrap().kind(), io::ErrorKind::AddrInUse);
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let folder = Folder::new("file");
        let path = folder.0.join("a.sock");
        fs::write(&path, "precious").unwrap();
        assert_eq!(bind(&path, None).err().unwrap().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn the_file_of_a_successor_is_left_alone() {
        let folder = Folder::new("successor");
        let path = folder.0.join("a.sock");
        let (socket, file) = bind(&path, None).unwrap();
        drop(socket);
        fs::rename(&path, folder.0.join("old.sock")).unwrap();
        let _successor = UnixListener::bind(&path).unwrap();
        drop(file);
        assert!(path.exists());
    }

    #[test]
    fn a_file_that_was_left_to_another_process_stays_and_that_one_removes_it() {
        let folder = Folder::new("left");
        let path = folder.0.join("a.sock");
        let (_socket, file) = bind(&path, None).unwrap();
        let theirs = SocketFile::of(&path).unwrap();
        file.unwrap().leave();
        assert!(path.exists());
        drop(theirs);
        assert!(!path.exists());
    }

    #[test]
    fn an_abstract_name_needs_no_file() {
        let name = PathBuf::from(format!("\0weft-test-{}", std::process::id()));
        let (_socket, file) = bind(&name, None).unwrap();
        assert!(file.is_none());
        assert_eq!(bind(&name, None).err().unwrap().kind(), io::ErrorKind::AddrInUse);
    }
}
