//! The runtime seam: everything the engine asks of an event loop, and nothing else.
//!
//! A thread has one runtime: libuv after [`uv::Runtime::install`], else tokio's. Tasks, timers and sockets belong to
//! the thread that made them and never leave it. Invariants, on both back-ends:
//! - a task is polled on a clean stack, never from inside a socket's or a timer's callback;
//! - a stream gives up its task after 64 KiB or 16 reads, so that one busy connection does not starve its neighbours;
//! - a panic ends the task it happened in and nothing else, and is counted.

#[cfg(not(any(feature = "uv", feature = "tokio")))]
compile_error!("weft-rt needs a back-end: feature `uv` or `tokio`");

mod addr;
mod clock;
mod connect;
mod current;
mod listener;
mod memory;
mod slices;
mod source;
mod stream;
mod syscall;
mod task;
mod timer;
#[cfg(feature = "tokio")]
pub mod tokio_rt;
#[cfg(feature = "uv")]
pub mod uv;

pub use addr::Addr;
pub use clock::{now, unix_micros};
pub use connect::connect;
pub use current::{panics, pass};
pub use listener::Listener;
pub use memory::{PIPE_BYTES, Peer, memory};
pub use slices::{ask_for_short_slices, is_main_thread};
pub use stream::Stream;
pub use task::{Task, is_ending, spawn};
pub use timer::{Timer, sleep};
