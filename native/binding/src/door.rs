//! Requests that TypeScript takes in: it gives them to the pipeline and hears what comes of them as events, all on the
//! thread's own loop.
//!
//! One callback per thread, for all of its doors. An event is `(exchange, kind, head, bytes, number)`:
//!
//! | kind | what | head | bytes | number |
//! |---|---|---|---|---|
//! | 0 | a 1xx answer | its head | | |
//! | 1 | the answer begins | its head | the first bytes of the body or `null` | its length, -1 when that is not known |
//! | 2 | the whole answer; the exchange is over | its head | the body or `null` | its length, also after HEAD and with 304; -1 when none was told |
//! | 3 | more of the body | | bytes | |
//! | 4 | the end of the body; the exchange is over | | the last bytes or `null` | |
//! | 5 | the request's body may go on | | | |
//! | 6 | broken off: what was sent of the answer must not look whole; the exchange is over | | | |
//! | 7 | an upgrade to a WebSocket of the listener's own (`sockets` of the snapshot) has passed the filters | the request's | | |
//!
//! After 7 the door answers its client itself and tells the status by which it did: three digits, as the last bytes of
//! the request's body (101 when it took the WebSocket). Event 4 then ends the exchange. Another request with `upgrade`
//! goes on to its cluster; answered by 101, its events 3 and its `doorBody` are the raw stream both ways. A door that
//! cannot take that leaves `upgrade` and `connection` out of the head; `more` is true for both kinds.
//!
//! A head is latin1: `200 OK\r\nname: value\r\n…`, every line with its CRLF, without the lines that frame a body or
//! belong to a connection. One with a character beyond ASCII adds 8 to its event's kind. `bytes` is valid during the call only: it is the same memory each time. No event comes from
//! within a call of `doorRequest` or its likes, none after the exchange is over, none after `doorAbort`. An exchange's
//! number means nothing to the calls below once it is over; its lowest 20 bits tell it from all others that live.

#![allow(clippy::type_complexity, reason = "a callback's declaration is generated from the very words of its type")]

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::net::{IpAddr, SocketAddr};
use std::ptr;
use std::rc::Rc;

use napi::bindgen_prelude::{ArrayBuffer, FnArgs, Function, Uint8Array};
use napi::{Env, JsString, JsValue, Result, sys};
use napi_derive::napi;
use weft_engine::listener::door::{self, Entered, Entering, Event, Outside};
use weft_engine::worker::Worker;

use crate::error::{failed, guarded};
use crate::javascript;

/// What bytes cross in: as much as one event can carry.
const CROSSING_BYTES: usize = 64 * 1024;

/// What an event's kind has more when its head has a character beyond ASCII.
const BEYOND_ASCII: u32 = 8;

/// Bits of an exchange's number that are its place; the others tell it from those that had the place before.
const PLACE_BITS: u32 = 20;

thread_local! {
    /// The workers of this thread, by the number of their proxy.
    static WORKERS: RefCell<Vec<(u32, Rc<Worker>)>> = const { RefCell::new(Vec::new()) };
    static EXCHANGES: RefCell<Exchanges> = RefCell::default();
    static HEARER: Cell<Option<Hearer>> = const { Cell::new(None) };
    /// Exchanges whose task panicked, to be told behind the pass.
    static LOST: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
    static TEXT: RefCell<(Vec<u16>, Vec<u8>)> = RefCell::default();
}

/// Who is called with events, and the memory that their bytes cross in.
#[derive(Clone, Copy)]
struct Hearer {
    callback: sys::napi_ref,
    memory: sys::napi_ref,
}

/// Exchanges that are under way on this thread.
#[derive(Default)]
struct Exchanges {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Default)]
struct Place {
    round: u32,
    entered: Option<Rc<Entered>>,
}

impl Exchanges {
    /// A number that no living exchange has; `None` when there are as many as there can be.
    fn reserve(&mut self) -> Option<u32> {
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                let place = u32::try_from(self.places.len()).ok().filter(|place| *place < 1 << PLACE_BITS)?;
                self.places.push(Place::default());
                place
            }
        };
        let round = self.places.get(place as usize).map_or(0, |place| place.round);
        Some((round << PLACE_BITS) | place)
    }

    fn place(&mut self, number: u32) -> Option<&mut Place> {
        let place = self.places.get_mut((number & ((1 << PLACE_BITS) - 1)) as usize)?;
        (place.round == number >> PLACE_BITS).then_some(place)
    }

    fn release(&mut self, number: u32) {
        if let Some(place) = self.place(number) {
            place.entered = None;
            place.round = (place.round + 1) & (u32::MAX >> PLACE_BITS);
            self.free.push(number & ((1 << PLACE_BITS) - 1));
        }
    }
}

fn find(exchange: u32) -> Option<Rc<Entered>> {
    EXCHANGES.with_borrow_mut(|exchanges| exchanges.place(exchange)?.entered.clone())
}

fn release(exchange: u32) {
    EXCHANGES.with_borrow_mut(|exchanges| exchanges.release(exchange));
}

/// A proxy is served on this thread from now on.
pub(crate) fn attached(proxy: u32, worker: Rc<Worker>) {
    WORKERS.with_borrow_mut(|workers| {
        workers.retain(|(known, _)| *known != proxy);
        workers.push((proxy, worker));
    });
}

/// A proxy has ended.
pub(crate) fn forget(proxy: u32) {
    WORKERS.with_borrow_mut(|workers| workers.retain(|(known, _)| *known != proxy));
}

/// The environment ends.
pub(crate) fn leave() {
    HEARER.set(None);
    WORKERS.take();
    EXCHANGES.take();
    LOST.take();
}

fn worker_of(proxy: u32) -> Option<Rc<Worker>> {
    WORKERS
        .with_borrow(|workers| workers.iter().find(|(known, _)| *known == proxy).map(|(_, worker)| Rc::clone(worker)))
}

/// Sets who is called with the events of all exchanges of this thread; once per thread. It must not throw.
#[napi]
pub fn door_events(
    env: Env,
    callback: Function<FnArgs<(u32, u32, Option<String>, Option<Uint8Array>, f64)>, ()>,
) -> Result<()> {
    let raw = env.raw();
    let (mut callback_ref, mut memory, mut memory_ref) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    let mut data = ptr::null_mut();
    // SAFETY: inside a call from JavaScript on the environment's own thread; `callback` is a value of this call.
    let made = unsafe {
        [
            sys::napi_create_reference(raw, callback.value().value, 1, &raw mut callback_ref),
            sys::napi_create_arraybuffer(raw, CROSSING_BYTES, &raw mut data, &raw mut memory),
            sys::napi_create_reference(raw, memory, 1, &raw mut memory_ref),
        ]
    };
    if made.iter().any(|status| *status != sys::Status::napi_ok) {
        return Err(failed("doorEvents", &"the environment refused"));
    }
    HEARER.set(Some(Hearer { callback: callback_ref, memory: memory_ref }));
    Ok(())
}

/// The number that `doorRequest` knows a listener by on this thread: the same for this name in all configurations.
#[napi]
pub fn door_listener(proxy: u32, name: String) -> Result<u32> {
    let worker = worker_of(proxy).ok_or_else(|| failed("doorListener", &"the proxy is not served on this thread"))?;
    Ok(worker.doors.number(&name))
}

/// A request enters. `client` is `ip:port`, or empty when it has no address. `head` is latin1 as HTTP/1.1 writes it, the
/// empty line at its end included, with content-length or `transfer-encoding: chunked` where a body follows; `more`
/// says that one does. Its bytes follow by `doorBody`, without framing. Returns the exchange's number.
#[napi]
pub fn door_request(env: Env, proxy: u32, listener: u32, client: JsString, head: JsString, more: bool) -> Result<u32> {
    guarded("doorRequest", || {
        TEXT.with_borrow_mut(|(wide, narrow)| {
            read_latin1(&env, &client, wide, narrow)?;
            let client = std::str::from_utf8(narrow).ok().and_then(|text| text.parse::<SocketAddr>().ok());
            read_latin1(&env, &head, wide, narrow)?;
            enter(proxy, listener, &Came { client, head: narrow, more, own_date: false })
        })
    })
}

/// A request as uWebSockets.js has read it enters: `address` is the client's, 4 or 16 bytes, and `head` its text as
/// decoded from UTF-8. Otherwise as `doorRequest`, but no answer has a `date`: the library writes its own. Throws also
/// when a byte of the head was none of UTF-8, for the library has lost it.
#[napi]
pub fn door_request_from(
    env: Env,
    proxy: u32,
    listener: u32,
    address: ArrayBuffer<'_>,
    head: JsString,
    more: bool,
) -> Result<u32> {
    guarded("doorRequestFrom", || {
        TEXT.with_borrow_mut(|(wide, narrow)| {
            read_decoded(&env, &head, wide, narrow)?;
            enter(proxy, listener, &Came { client: client_at(&address), head: narrow, more, own_date: true })
        })
    })
}

/// A request that came.
struct Came<'a> {
    client: Option<SocketAddr>,
    head: &'a [u8],
    more: bool,
    own_date: bool,
}

fn enter(proxy: u32, listener: u32, came: &Came<'_>) -> Result<u32> {
    let worker = worker_of(proxy).ok_or_else(|| failed("doorRequest", &"the proxy is not served on this thread"))?;
    let serving = worker.doors.get(listener).ok_or_else(|| failed("doorRequest", &"the listener is not served"))?;
    let number = EXCHANGES.with_borrow_mut(Exchanges::reserve);
    let number = number.ok_or_else(|| failed("doorRequest", &"too many requests are under way"))?;
    let Came { client, head, more, own_date } = *came;
    let entering = Entering { serving, client, head, more, own_date, number };
    let entered = weft_rt::uv::in_group(proxy, || door::enter(&worker, &entering, outside()));
    EXCHANGES.with_borrow_mut(|exchanges| {
        if let Some(place) = exchanges.place(number) {
            place.entered = Some(entered);
        }
    });
    Ok(number)
}

/// The client of a binary address; its port is not known and 0. IPv4 over a socket of IPv6 is IPv4 (RFC 4291 section
/// 2.5.5.2).
fn client_at(address: &[u8]) -> Option<SocketAddr> {
    let ip = match address.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(address).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(address).ok()?).to_canonical(),
    };
    Some(SocketAddr::new(ip, 0))
}

/// Bytes of a request's body, copied during the call; `last` says that it ends with them. False: send no more until event
/// 5. What is sent to an exchange that is over is dropped.
#[napi]
pub fn door_body(exchange: u32, chunk: &[u8], last: bool) -> bool {
    find(exchange).is_none_or(|entered| entered.send(chunk, last))
}

/// The client takes no more: the answer is not read on.
#[napi]
pub fn door_pause(exchange: u32) {
    find(exchange).into_iter().for_each(|entered| entered.pause());
}

/// The client takes more again.
#[napi]
pub fn door_resume(exchange: u32) {
    find(exchange).into_iter().for_each(|entered| entered.resume());
}

/// The client has gone: the exchange ends, and nothing more is told of it.
#[napi]
pub fn door_abort(exchange: u32) {
    if let Some(entered) = find(exchange) {
        release(exchange);
        entered.abort();
    }
}

/// Text as bytes, one per character.
fn read_latin1(env: &Env, text: &JsString, wide: &mut Vec<u16>, narrow: &mut Vec<u8>) -> Result<()> {
    // Cut down to a byte, a character beyond could become the end of a line.
    if read_wide(env, text, wide)? > 0xff {
        return Err(failed("doorRequest", &"the head holds a character that is not latin1"));
    }
    cut_down(wide, narrow);
    Ok(())
}

/// Text as the bytes of UTF-8 that it was decoded from.
fn read_decoded(env: &Env, text: &JsString, wide: &mut Vec<u16>, narrow: &mut Vec<u8>) -> Result<()> {
    if read_wide(env, text, wide)? < 0x80 {
        cut_down(wide, narrow);
        return Ok(());
    }
    let text = String::from_utf16(wide).ok().filter(|text| !text.contains(char::REPLACEMENT_CHARACTER));
    let text = text.ok_or_else(|| failed("doorRequest", &"a byte of the head is none of UTF-8"))?;
    narrow.clear();
    narrow.extend_from_slice(text.as_bytes());
    Ok(())
}

fn cut_down(wide: &[u16], narrow: &mut Vec<u8>) {
    narrow.clear();
    narrow.extend(wide.iter().map(|unit| *unit as u8));
}

/// Text in its own units; all of them or-ed.
fn read_wide(env: &Env, text: &JsString, wide: &mut Vec<u16>) -> Result<u16> {
    let (env, value) = (env.raw(), text.value().value);
    let (mut length, mut written) = (0, 0);
    // SAFETY: a value of the running call; the second call writes at most the vector's length, end of text included.
    let status = unsafe {
        sys::napi_get_value_string_utf16(env, value, ptr::null_mut(), 0, &raw mut length);
        wide.resize(length + 1, 0);
        sys::napi_get_value_string_utf16(env, value, wide.as_mut_ptr(), wide.len(), &raw mut written)
    };
    if status != sys::Status::napi_ok || written != length {
        return Err(failed("doorRequest", &"a text could not be read"));
    }
    wide.truncate(written);
    Ok(wide.iter().fold(0, |all, unit| all | unit))
}

fn outside() -> Rc<dyn Outside> {
    thread_local! {
        static OUTSIDE: Rc<JavaScript> = Rc::new(JavaScript);
    }
    OUTSIDE.with(|outside| Rc::clone(outside) as Rc<dyn Outside>)
}

/// The events' way out.
struct JavaScript;

impl Outside for JavaScript {
    fn tell(&self, number: u32, event: Event<'_>) {
        if event.is_last() {
            release(number);
        }
        let Some(hearer) = HEARER.get() else { return };
        javascript::within(|env| call(env, hearer, number, &event));
    }

    fn lost(&self, number: u32) {
        LOST.with_borrow_mut(|lost| lost.push(number));
    }
}

/// Behind a pass: tells of exchanges that were lost in it.
pub(crate) fn tell_lost() {
    if LOST.with_borrow(Vec::is_empty) {
        return;
    }
    LOST.take().into_iter().for_each(|number| JavaScript.tell(number, Event::Broken));
}

fn call(env: sys::napi_env, hearer: Hearer, exchange: u32, event: &Event<'_>) {
    let unknown = -1.0;
    let length = |length: Option<u64>| length.map_or(unknown, |length| length as f64);
    let (kind, head, bytes, number) = match *event {
        Event::Informational { head } => (0, Some(head), None, unknown),
        Event::Answer { head, length: told, body, whole } => {
            (1 + u32::from(whole), Some(head), Some(body), length(told))
        }
        Event::Body { bytes, last } => (3 + u32::from(last), None, Some(bytes), unknown),
        Event::Drain => (5, None, None, unknown),
        Event::Broken => (6, None, None, unknown),
        Event::Socket { head } => (7, Some(head), None, unknown),
    };
    let kind = if head.is_some_and(|head| !head.is_ascii()) { kind + BEYOND_ASCII } else { kind };
    let (mut callback, mut receiver, mut result) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    let mut arguments = [ptr::null_mut(); 5];
    let [exchange_value, kind_value, head_value, bytes_value, number_value] = &mut arguments;
    // SAFETY: within the scopes of `javascript::within`, on the environment's own thread; the references were made by
    // `door_events` in this environment and are freed with it; slices outlive the calls that read them.
    unsafe {
        sys::napi_get_reference_value(env, hearer.callback, &raw mut callback);
        sys::napi_get_undefined(env, &raw mut receiver);
        sys::napi_create_uint32(env, exchange, exchange_value);
        sys::napi_create_uint32(env, kind, kind_value);
        match head {
            Some(head) => {
                sys::napi_create_string_latin1(env, head.as_ptr().cast(), head.len().cast_signed(), head_value);
            }
            None => {
                sys::napi_get_null(env, head_value);
            }
        }
        match bytes.filter(|bytes| !bytes.is_empty()) {
            Some(bytes) => *bytes_value = cross(env, hearer, bytes),
            None => {
                sys::napi_get_null(env, bytes_value);
            }
        }
        sys::napi_create_double(env, number, number_value);
        sys::napi_call_function(env, receiver, callback, arguments.len(), arguments.as_ptr(), &raw mut result);
    }
}

/// Copies bytes into the memory that they cross in.
///
/// # Safety
/// Within the scopes of `javascript::within`, with the hearer of this environment.
unsafe fn cross(env: sys::napi_env, hearer: Hearer, bytes: &[u8]) -> sys::napi_value {
    let (mut memory, mut array) = (ptr::null_mut(), ptr::null_mut());
    let (mut data, mut room): (*mut c_void, usize) = (ptr::null_mut(), 0);
    // SAFETY: the caller's. The memory is this environment's own and asked for its extent each time, for JavaScript may
    // have given it away; nothing runs between the question and the copy.
    unsafe {
        sys::napi_get_reference_value(env, hearer.memory, &raw mut memory);
        sys::napi_get_arraybuffer_info(env, memory, &raw mut data, &raw mut room);
        if data.is_null() || room < bytes.len() {
            sys::napi_create_arraybuffer(env, bytes.len(), &raw mut data, &raw mut memory);
        }
        if !data.is_null() {
            ptr::copy_nonoverlapping(bytes.as_ptr(), data.cast::<u8>(), bytes.len());
        }
        sys::napi_create_typedarray(env, sys::TypedarrayType::uint8_array, bytes.len(), memory, 0, &raw mut array);
    }
    array
}
