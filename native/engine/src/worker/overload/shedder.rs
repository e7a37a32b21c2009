//! The level of shedding of one listener in one worker, from readings of pressure.
//!
//! Lag and CPU say only that there is too much, not how much: the level is moved until they stay at their bound, up
//! quickly and down slowly (an integral controller, as in WeChat's DAGOR, Zhou et al. 2018). Memory does not come
//! back soon after requests are refused, so its level is simply how far between its bound and the end it is.

use std::cell::Cell;
use std::time::Duration;

use super::gauge::Gauge;
use super::{MOST_CLASSES, Memory, Overload, process};
use crate::error::{Error, Kind};
use crate::http::head::RequestHead;

/// Classes a second that the level rises by where the pressure is twice its bound, and falls by where there is none.
const RISE: f32 = 3.0;
const FALL: f32 = 1.0;
/// A pressure of four times the bound is as bad as any.
const WORST: f32 = 3.0;
/// Readings that were missed, for the loop was busy or nobody asked, count as no more than this. Not less: under load a turn
/// of the loop is as long as its lag, and a level that may rise by 50 ms of it only stays too low (28 % of goodput lost).
const LONGEST_STEP: Duration = Duration::from_millis(200);

/// The level of one listener in one worker.
#[derive(Default)]
pub struct Shedder {
    /// The reading that the level follows.
    turn: Cell<u32>,
    level: Cell<f32>,
    /// What of the level memory asks for.
    of_memory: Cell<f32>,
    /// What lags, or is short.
    scarce: Cell<Scarce>,
    /// Parts of requests that were not refused yet, by class: a third refuses every third one.
    owed: [Cell<f32>; MOST_CLASSES],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Scarce {
    #[default]
    Loop,
    Cpu,
    Memory,
}

/// Pressure as the level sees it.
#[derive(Clone, Copy, Debug, Default)]
struct Pressure {
    lag: Duration,
    cpu: f32,
    memory: u64,
}

impl Shedder {
    /// Refuses the request if it is one of those that go first at the present level.
    #[inline]
    pub fn admit(&self, overload: &Overload, gauge: &Gauge, head: &RequestHead) -> Result<(), Error> {
        if gauge.turn() != self.turn.get() {
            self.read(overload, gauge);
        }
        let level = self.level.get().max(self.of_memory.get());
        if level <= 0.0 { Ok(()) } else { self.choose(level, overload.class(head).1) }
    }

    fn choose(&self, level: f32, class: usize) -> Result<(), Error> {
        let Some(owed) = self.owed.get(class) else { return Ok(()) };
        let sum = owed.get() + (level - class as f32).clamp(0.0, 1.0);
        if sum < 1.0 {
            owed.set(sum);
            return Ok(());
        }
        owed.set(sum - 1.0);
        let memory_alone = self.of_memory.get() > self.level.get();
        Err(if memory_alone { Scarce::Memory } else { self.scarce.get() }.error())
    }

    #[cold]
    fn read(&self, overload: &Overload, gauge: &Gauge) {
        let missed = gauge.turn().wrapping_sub(self.turn.replace(gauge.turn()));
        // Readings come every 10 ms and the lag later.
        let step = (Duration::from_millis(10) + gauge.lag()) * missed.min(20);
        let pressure = Pressure { lag: gauge.lag(), cpu: process::cpu(), memory: process::memory() };
        self.step(overload, pressure, step.min(LONGEST_STEP));
    }

    /// Moves the level by what the pressure was for so long.
    fn step(&self, overload: &Overload, pressure: Pressure, step: Duration) {
        let classes = overload.criticality.as_ref().map_or(1, |criticality| criticality.order.len()) as f32;
        let of_lag = overload.lag.map(|bound| pressure.lag.as_secs_f32() / bound.as_secs_f32().max(0.001) - 1.0);
        // From the bound to all of it, and as far below, is the range in which the level moves in proportion.
        let of_cpu = overload.cpu.map(|bound| (pressure.cpu - bound) / (1.0 - bound).max(0.01));
        let scarcer = if of_cpu > of_lag { Scarce::Cpu } else { Scarce::Loop };
        let excess = [of_lag, of_cpu].into_iter().flatten().fold(-1.0, f32::max).min(WORST);
        if excess > 0.0 {
            self.scarce.set(scarcer);
        }
        let speed = if excess > 0.0 { RISE } else { FALL };
        self.level.set((self.level.get() + excess * speed * step.as_secs_f32()).clamp(0.0, classes));
        let of_memory = overload
            .memory
            .map_or(0.0, |memory| memory.level(pressure.memory, memory.limit.unwrap_or_else(process::memory_limit)));
        self.of_memory.set(of_memory * classes);
    }
}

impl Memory {
    /// 0 up to the bound, 1 where nothing is left.
    fn level(&self, held: u64, limit: u64) -> f32 {
        let used = (held as f64 / limit.max(1) as f64) as f32;
        ((used - self.shed_at) / (1.0 - self.shed_at).max(0.01)).clamp(0.0, 1.0)
    }
}

impl Scarce {
    fn error(self) -> Error {
        Error::new(
            Kind::Overloaded,
            match self {
                Self::Loop => "the proxy is overloaded: its event loop lags",
                Self::Cpu => "the proxy is overloaded: it has no CPU left",
                Self::Memory => "the proxy is overloaded: it has no memory left",
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::Criticality;
    use super::*;

    const STEP: Duration = Duration::from_millis(10);

    fn overload(lag_ms: u64) -> Overload {
        let order = ["critical", "default", "sheddable"].map(Box::from);
        Overload {
            memory: Some(Memory { limit: Some(1_000), shed_at: 0.9 }),
            lag: Some(Duration::from_millis(lag_ms)),
            cpu: Some(0.9),
            criticality: Some(Criticality { header: "x-criticality".into(), order: Box::new(order) }),
        }
    }

    fn refused(shedder: &Shedder, class: usize) -> usize {
        let level = shedder.level.get().max(shedder.of_memory.get());
        (0..100).filter(|_| shedder.choose(level, class).is_err()).count()
    }

    #[test]
    fn the_least_important_go_first_and_in_proportion() {
        let (shedder, overload) = (Shedder::default(), overload(50));
        for (level, expected) in [(0.0, [0, 0, 0]), (0.5, [50, 0, 0]), (1.25, [100, 25, 0]), (2.5, [100, 100, 50])] {
            shedder.owed.iter().for_each(|owed| owed.set(0.0));
            shedder.level.set(level);
            let found = [0, 1, 2].map(|class| refused(&shedder, class));
            assert_eq!(found, expected, "level {level}");
        }
        let idle = Pressure::default();
        (0..400).for_each(|_| shedder.step(&overload, idle, STEP));
        assert_eq!(shedder.level.get(), 0.0, "and come back when the pressure has gone");
    }

    #[test]
    fn memory_between_its_bound_and_the_end_decides_at_once() {
        let (shedder, overload) = (Shedder::default(), overload(50));
        let at = |memory: u64| {
            shedder.step(&overload, Pressure { memory, ..Pressure::default() }, STEP);
            (shedder.of_memory.get() * 10.0).round() / 10.0
        };
        assert_eq!([at(899), at(900), at(950), at(1_000), at(2_000), at(100)], [0.0, 0.0, 1.5, 3.0, 3.0, 0.0]);
    }

    #[test]
    fn the_loop_is_named_or_the_cpu_whichever_is_scarcer() {
        let (shedder, overload) = (Shedder::default(), overload(50));
        let busy = Pressure { lag: Duration::from_millis(60), cpu: 1.0, memory: 0 };
        (0..10).for_each(|_| shedder.step(&overload, busy, STEP));
        assert_eq!(shedder.scarce.get(), Scarce::Cpu);
        let stuck = Pressure { lag: Duration::from_millis(500), ..busy };
        shedder.step(&overload, stuck, STEP);
        assert_eq!(shedder.scarce.get(), Scarce::Loop);
    }

    /// A loop that takes what was admitted, one request after the other, in virtual time: three times what it can do
    /// comes, a fifth of it critical.
    #[test]
    fn at_three_times_the_load_the_loop_stays_busy_and_critical_requests_are_served() {
        const CAPACITY: f32 = 1_000.0;
        let (shedder, overload) = (Shedder::default(), overload(50));
        let (mut queue, mut served, mut due, mut critical) = (0.0_f32, 0.0, 0.0, (0, 0));
        let mut turn = 0_usize;
        let mut longest = 0.0_f32;
        for tick in 0..2_000 {
            let settled = tick > 500;
            let lag = Duration::from_secs_f32(queue / CAPACITY);
            shedder.step(&overload, Pressure { lag, ..Pressure::default() }, STEP);
            for _ in 0..(CAPACITY * 3.0 * STEP.as_secs_f32()) as usize {
                turn += 1;
                let class = [2, 1, 0, 1, 0][turn % 5];
                let level = shedder.level.get();
                let admitted = shedder.choose(level, class).is_ok();
                queue += f32::from(u8::from(admitted));
                if class == 2 && settled {
                    critical = (critical.0 + usize::from(admitted), critical.1 + 1);
                }
            }
            let done = queue.min(CAPACITY * STEP.as_secs_f32());
            queue -= done;
            if settled {
                served += done;
                due += CAPACITY * STEP.as_secs_f32();
                longest = longest.max(queue / CAPACITY);
            }
        }
        assert!(served >= due * 0.97, "goodput {}", served / due);
        assert!(critical.0 * 100 >= critical.1 * 99, "{critical:?}");
        assert!(longest < 0.3, "the loop lagged {longest} s");
    }
}
