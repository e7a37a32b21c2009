//! `idle`: opens connections one after the other, each completing one request, then holds them; for memory per idle
//! connection. Prints `holding` when all are up, and at the end how many were still open.

use std::time::{Duration, Instant};

use crate::arguments::{Arguments, Fault};
use crate::client::{Client, Failure, Failures, Plan, Progress};
use crate::poller::{Interest, Poller, Ready};

const READ_BYTES: usize = 64 * 1024;
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

pub(crate) fn run(mut arguments: Arguments) -> Result<(), Fault> {
    let plan = Plan::take(&mut arguments)?;
    let connections = arguments.count("connections", 60_000)?;
    let hold = arguments.seconds("hold")?;
    arguments.finish()?;

    let mut failures = Failures::default();
    let mut scratch = vec![0; READ_BYTES];
    let mut clients = Vec::new();
    for _ in 0..connections {
        let mut client = Client::connect(&plan)?;
        match complete_one(&mut client, &plan, &mut scratch) {
            Ok(()) => clients.push(client),
            Err(failure) => failures.add(&failure),
        }
        if failures.too_many() {
            break;
        }
    }
    println!("holding");
    let open = held_open(&mut clients, hold, &mut scratch)?;
    println!("{{\"connections\":{connections},\"open\":{open},{}}}", failures.json());
    Ok(())
}

fn complete_one(client: &mut Client, plan: &Plan, scratch: &mut [u8]) -> Result<(), Failure> {
    let poller = Poller::new().map_err(|error| Failure::Io(error.into()))?;
    poller.add(&client.socket, 0, Interest::IN).map_err(|error| Failure::Io(error.into()))?;
    let mut ready = Ready::new();
    let start = Instant::now();
    client.ask(plan, start)?;
    while start.elapsed() < ANSWER_LIMIT {
        let left = ANSWER_LIMIT.saturating_sub(start.elapsed());
        poller.wait(&mut ready, Some(left)).map_err(|error| Failure::Io(error.into()))?;
        match client.listen(scratch)? {
            Progress::Waiting => {}
            Progress::Answered => {
                client.since = None;
                return Ok(());
            }
            Progress::AnsweredAndClosed => return Err(Failure::Closed),
        }
    }
    Err(Failure::Stalled)
}

/// Holds the connections and counts those that nothing was heard from: an idle connection has nothing to say.
fn held_open(clients: &mut [Client], hold: Duration, scratch: &mut [u8]) -> Result<usize, Fault> {
    let poller = Poller::new()?;
    for (token, client) in clients.iter().enumerate() {
        poller.add(&client.socket, token, Interest::IN)?;
    }
    let mut ready = Ready::new();
    let mut open = clients.len();
    let start = Instant::now();
    while start.elapsed() < hold && open > 0 {
        poller.wait(&mut ready, Some(hold.saturating_sub(start.elapsed())))?;
        for token in ready.tokens() {
            let Some(client) = clients.get_mut(token) else { continue };
            if !matches!(client.listen(scratch), Ok(Progress::Waiting)) {
                poller.remove(&client.socket)?;
                open -= 1;
            }
        }
    }
    Ok(open)
}
