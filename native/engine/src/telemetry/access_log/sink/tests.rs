use super::output::{Output, Progress};
use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(30);

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("weft-access-log-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Lets the writer pass until something is seen, at most ten seconds.
fn flush_until(writer: &LogWriter, is_seen: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !is_seen() {
        assert!(Instant::now() < deadline, "not seen in {LONG:?}");
        writer.flush(SHORT);
    }
}

#[test]
fn lines_of_all_workers_reach_one_file_whole_and_in_their_order() {
    let folder = Folder::new("order");
    let path = folder.file("access.log");
    let writer = LogWriter::start().unwrap();
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let queue = writer.open(&path).unwrap().queue(DEFAULT_QUEUE_BYTES);
            std::thread::spawn(move || {
                (0..2_000).filter(|line| queue.push(format!("{worker} {line}\n").as_bytes())).count()
            })
        })
        .collect();
    let taken: usize = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
    assert_eq!(taken, 8_000);
    assert!(writer.flush(LONG));
    let text = fs::read_to_string(&path).unwrap();
    for worker in 0..4 {
        let own: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(&format!("{worker} "))).collect();
        assert_eq!(own, (0..2_000).map(|line| line.to_string()).collect::<Vec<_>>());
    }
}

#[test]
fn a_new_file_is_for_its_owner_and_group_and_an_old_one_is_appended_to() {
    let folder = Folder::new("mode");
    let path = folder.file("access.log");
    for line in ["first\n", "second\n"] {
        let writer = LogWriter::start().unwrap();
        writer.open(&path).unwrap().queue(100).push(line.as_bytes());
        assert!(writer.flush(LONG));
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "first\nsecond\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o137, 0);
}

#[test]
fn after_a_rotation_lines_go_to_the_new_file() {
    let folder = Folder::new("rotation");
    let path = folder.file("access.log");
    let writer = LogWriter::start().unwrap();
    let sink = writer.open(&path).unwrap();
    let queue = sink.queue(DEFAULT_QUEUE_BYTES);
    queue.push(b"before\n");
    assert!(writer.flush(LONG));
    fs::rename(&path, folder.file("access.log.1")).unwrap();
    queue.push(b"between\n");
    assert!(writer.flush(LONG));
    sink.reopen().unwrap();
    queue.push(b"after\n");
    assert!(writer.flush(LONG));
    assert_eq!(fs::read_to_string(folder.file("access.log.1")).unwrap(), "before\nbetween\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "after\n");
}

#[test]
fn a_full_disk_keeps_lines_drops_when_the_queue_is_full_and_recovers() {
    let folder = Folder::new("full");
    let path = folder.file("access.log");
    symlink("/dev/full", &path).unwrap();
    let writer = LogWriter::start().unwrap();
    let sink = writer.open(&path).unwrap();
    let queue = sink.queue(10);
    assert!(queue.push(b"one\n"));
    assert!(!writer.flush(SHORT), "nothing can be written");
    flush_until(&writer, || sink.write_errors() > 0);
    assert!(queue.push(b"two\n"));
    assert!(queue.push(b"three\n"));
    assert!(!queue.push(b"four\n"), "the queue is full");
    fs::remove_file(&path).unwrap();
    sink.reopen().unwrap();
    assert!(writer.flush(LONG));
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
    assert!(queue.push(b"five\n"), "there is room again");
}

#[test]
fn a_pipe_that_nobody_reads_holds_up_no_other_file() {
    let folder = Folder::new("pipe");
    let (pipe, path) = (folder.file("pipe"), folder.file("access.log"));
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    // Both ends held here: the writer's open succeeds and its pipe fills.
    let mut reader = fs::File::options().read(true).write(true).open(&pipe).unwrap();
    let writer = LogWriter::start().unwrap();
    let (stalled, fine) = (writer.open(&pipe).unwrap(), writer.open(&path).unwrap());
    let (stalled_queue, fine_queue) = (stalled.queue(DEFAULT_QUEUE_BYTES), fine.queue(DEFAULT_QUEUE_BYTES));
    let line = [b"x".repeat(999), b"\n".to_vec()].concat();
    for _ in 0..200 {
        assert!(stalled_queue.push(&line));
    }
    assert!(!writer.flush(SHORT), "the pipe takes 64 KiB");
    fine_queue.push(b"fine\n");
    flush_until(&writer, || fs::read_to_string(&path).unwrap() == "fine\n");
    assert_eq!(stalled.write_errors(), 0);
    let mut all = vec![0; 200 * line.len()];
    std::io::Read::read_exact(&mut reader, &mut all).unwrap();
    assert!(writer.flush(LONG));
    assert!(all == line.repeat(200));
}

#[test]
fn a_blocking_pipe_is_never_waited_for() {
    let (reader, writer) = std::io::pipe().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut output = Output::over(fs::File::from(std::os::fd::OwnedFd::from(writer))).unwrap();
        let mut written = 0;
        tell.send((output.write(&[b'l'; 1_000_000], &mut written), written)).unwrap();
    });
    let (progress, written) = told.recv_timeout(LONG).expect("the write returns although nobody reads");
    assert_eq!(progress, Progress::Stalled);
    assert!(written >= 4096, "{written}");
    drop(reader);
}

#[test]
fn a_line_written_in_part_is_written_again_to_the_new_file() {
    let folder = Folder::new("part");
    let path = folder.file("access.log");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let _reader = fs::File::options().read(true).write(true).open(&path).unwrap();
    let writer = LogWriter::start().unwrap();
    let sink = writer.open(&path).unwrap();
    let queue = sink.queue(DEFAULT_QUEUE_BYTES);
    let line = [b"x".repeat(999), b"\n".to_vec()].concat();
    for _ in 0..200 {
        assert!(queue.push(&line));
    }
    assert!(!writer.flush(SHORT), "the pipe takes a part of it, which ends inside a line");
    fs::remove_file(&path).unwrap();
    sink.reopen().unwrap();
    assert!(writer.flush(LONG));
    let text = fs::read(&path).unwrap();
    assert!(!text.is_empty() && text.len() < 200 * line.len());
    assert!(text.chunks(line.len()).all(|chunk| chunk == line));
}

#[test]
fn what_a_dropped_queue_held_is_written_and_its_file_closed() {
    let folder = Folder::new("dropped");
    let path = folder.file("access.log");
    let writer = LogWriter::start().unwrap();
    let queue = writer.open(&path).unwrap().queue(DEFAULT_QUEUE_BYTES);
    queue.push(b"last words\n");
    drop(queue);
    assert!(writer.flush(LONG));
    assert!(writer.flush(LONG), "a second pass, after which nobody holds the file");
    assert_eq!(fs::read_to_string(&path).unwrap(), "last words\n");
    let open = |path: &str| {
        fs::read_dir("/proc/self/fd")
            .unwrap()
            .flatten()
            .any(|fd| fs::read_link(fd.path()).is_ok_and(|file| file.ends_with(path)))
    };
    assert!(!open(&path));
}

#[test]
fn a_path_that_cannot_be_opened_is_an_error_and_keeps_the_old_file() {
    let folder = Folder::new("missing");
    let writer = LogWriter::start().unwrap();
    assert!(writer.open(&folder.file("no/such/folder.log")).is_err());
    let sub = Folder::new("missing-sub");
    let path = sub.file("access.log");
    let sink = writer.open(&path).unwrap();
    let queue = sink.queue(100);
    fs::rename(&path, folder.file("moved.log")).unwrap();
    fs::remove_dir(&sub.0).unwrap();
    assert!(sink.reopen().is_err());
    queue.push(b"kept\n");
    assert!(writer.flush(LONG));
    assert_eq!(fs::read_to_string(folder.file("moved.log")).unwrap(), "kept\n");
}
