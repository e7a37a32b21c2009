//! Memory and CPU of the process, read by whichever worker comes first once a quarter of a second.

use std::fs;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::{Duration, Instant};

/// How often they are read.
const EVERY: Duration = Duration::from_millis(250);

/// What the process uses.
#[derive(Default)]
struct Usage {
    /// Of the last reading, ms since the first one.
    read_at_ms: AtomicU64,
    memory: AtomicU64,
    /// Thousandths of the processors.
    cpu: AtomicU32,
    /// CPU time spent before the last reading, µs.
    spent_us: AtomicU64,
    /// Workers that read: what the process has of processors, unless the machine has fewer.
    readers: AtomicU32,
}

fn usage() -> &'static (Usage, Instant) {
    static USAGE: OnceLock<(Usage, Instant)> = OnceLock::new();
    USAGE.get_or_init(|| (Usage::default(), Instant::now()))
}

/// A worker that reads, until it is dropped.
pub(super) struct Reader(());

impl Reader {
    pub(super) fn enter() -> Self {
        usage().0.readers.fetch_add(1, Relaxed);
        Self(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        usage().0.readers.fetch_sub(1, Relaxed);
    }
}

/// Bytes of memory that the process holds.
pub(super) fn memory() -> u64 {
    usage().0.memory.load(Relaxed)
}

/// Share of its processors that it uses, 0 to 1.
pub(super) fn cpu() -> f32 {
    usage().0.cpu.load(Relaxed) as f32 / 1_000.0
}

/// Reads anew, if it is time and nobody else does.
pub(super) fn refresh(now: Instant) {
    let (usage, began) = usage();
    let now_ms = u64::try_from(now.saturating_duration_since(*began).as_millis()).unwrap_or(u64::MAX).max(1);
    let before = usage.read_at_ms.load(Relaxed);
    let due = before == 0 || now_ms.saturating_sub(before) >= EVERY.as_millis() as u64;
    if !due || usage.read_at_ms.compare_exchange(before, now_ms, AcqRel, Relaxed).is_err() {
        return;
    }
    if let Some(bytes) = resident() {
        usage.memory.store(bytes, Relaxed);
    }
    let spent = spent_us();
    let more = spent.saturating_sub(usage.spent_us.swap(spent, Relaxed));
    if before > 0 {
        let processors = usage.readers.load(Relaxed).clamp(1, processors());
        let part = more as f64 / 1_000.0 / (now_ms - before).max(1) as f64 / f64::from(processors);
        usage.cpu.store((part * 1_000.0).min(1_000.0) as u32, Relaxed);
    }
}

/// Processors that the process may use: those of its cgroup, where that has fewer.
fn processors() -> u32 {
    static PROCESSORS: OnceLock<u32> = OnceLock::new();
    *PROCESSORS.get_or_init(|| {
        std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX))
    })
}

/// CPU time of all threads of the process.
fn spent_us() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000
}

/// The resident set (proc_pid_statm(5)).
fn resident() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Memory that the process may have; as much as it likes where nobody says.
pub(super) fn memory_limit() -> u64 {
    static LIMIT: OnceLock<u64> = OnceLock::new();
    *LIMIT.get_or_init(|| found_limit().unwrap_or(u64::MAX))
}

/// Its cgroup's bound (cgroup v2, then v1), else what the machine has.
fn found_limit() -> Option<u64> {
    let bound = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let of_group = || {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        // The bound of any group around the process holds as well.
        let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?.to_owned();
        let mut within: Option<u64> = None;
        let mut path = path.as_str();
        loop {
            let own = bound(&format!("/sys/fs/cgroup{path}/memory.max"));
            within = [within, own].into_iter().flatten().min();
            match path.rfind('/') {
                Some(end) => path = path.get(..end)?,
                None => return within,
            }
        }
    };
    let of_machine = || {
        let text = fs::read_to_string("/proc/meminfo").ok()?;
        let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        Some(total.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
    };
    let of_old_group = bound("/sys/fs/cgroup/memory/memory.limit_in_bytes");
    [of_group(), of_old_group, of_machine()].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_its_bound_are_those_of_this_process() {
        let held = resident().unwrap();
        assert!(held > 1 << 20, "{held}");
        assert!(found_limit().is_some_and(|limit| limit > held && limit == memory_limit()));
    }

    #[test]
    fn a_thread_that_only_computes_uses_its_processor() {
        let _reader = Reader::enter();
        let began = Instant::now();
        refresh(began);
        while began.elapsed() < EVERY * 2 {
            std::hint::black_box(fastrand::u64(..));
        }
        let before = usage().0.read_at_ms.load(Relaxed);
        refresh(Instant::now() + EVERY);
        assert!(usage().0.read_at_ms.load(Relaxed) > before);
        assert!(cpu() > 0.05 && cpu() <= 1.0, "{}", cpu());
        assert!(memory() > 1 << 20);
    }
}
