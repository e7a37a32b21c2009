//! An answer that filters see: first its head, then its body, which is gathered where one of them wants all of it before
//! the head goes out.

use std::future::poll_fn;
use std::task::{Context, Poll};

use super::send_rest;
use crate::error::{Error, Kind};
use crate::exchange::ongoing::Ongoing;
use crate::filter::{self, Stop, body};
use crate::transfer::{Gathered, Transfer};
use crate::upstream::attempt::answer::Answer;
use crate::upstream::attempt::outgoing::Outgoing;
use crate::upstream::connection::connect::Upstream;

/// An answer whose head is here.
pub(super) struct Filtering<'a, 'e, 'o> {
    pub(super) exchange: &'a mut Ongoing<'e>,
    pub(super) upstream: &'a mut Upstream,
    pub(super) outgoing: &'a mut Outgoing<'o>,
    pub(super) answer: &'a mut Answer,
}

impl Filtering<'_, '_, '_> {
    /// Has the filters that ran see the answer.
    pub(super) async fn run(self, answering: &mut Transfer) -> Result<(), Stop> {
        filter::response(self.exchange, &mut self.answer.head).await?;
        if answering.is_decoded() || !body::sees_answer(self.exchange) {
            return Ok(());
        }
        Box::pin(self.bodies(answering)).await
    }

    /// Has each filter see the body, the last one first.
    async fn bodies(mut self, answering: &mut Transfer) -> Result<(), Stop> {
        for place in (0..self.exchange.passed.len()).rev() {
            if let Some(filter) = body::answer_stream(self.exchange, place) {
                let mut filter = Some(filter);
                poll_fn(|cx| match answering.poll_add(cx, &mut filter) {
                    Poll::Pending => self.poll_others(cx, 0),
                    added => added,
                })
                .await?;
            }
            if let Some(max_bytes) = body::answer_limit(self.exchange, place) {
                match self.gather(answering, max_bytes).await? {
                    Gathered::Whole => {
                        let (head, whole) = (&mut self.answer.head, answering.gathered());
                        body::ask_answer(self.exchange, place, head, whole).await?;
                    }
                    Gathered::Beyond => body::answer_too_long(self.exchange, place, &mut self.answer.head)?,
                }
            }
        }
        Ok(())
    }

    /// Waits for the whole body, or for more than that many bytes of it.
    async fn gather(&mut self, answering: &mut Transfer, max_bytes: usize) -> Result<Gathered, Error> {
        if answering.is_whole() {
            return Ok(if answering.gathered().len() > max_bytes { Gathered::Beyond } else { Gathered::Whole });
        }
        if answering.announced().is_some_and(|bytes| bytes > max_bytes as u64) && !answering.is_tapped() {
            return Ok(Gathered::Beyond);
        }
        poll_fn(|cx| {
            let buffers = &self.exchange.worker.buffers;
            match answering.poll_gather(cx, buffers, &mut self.upstream.stream, max_bytes) {
                Poll::Ready(gathered) => Poll::Ready(gathered.map_err(|broken| broken.in_answer())),
                Poll::Pending => self.poll_others(cx, answering.progress()).map_ok(|()| Gathered::Beyond),
            }
        })
        .await
    }

    /// What goes on meanwhile: the rest of the request, the client's patience, the clocks. Never ready with success.
    fn poll_others(&mut self, cx: &mut Context<'_>, progress: u64) -> Poll<Result<(), Error>> {
        let exchange = &mut *self.exchange;
        let (client, endpoint) = (&mut exchange.downstream.stream, &mut self.upstream.stream);
        let Outgoing { sending, deadlines, .. } = &mut *self.outgoing;
        // An endpoint that stopped reading shows itself again when the relay goes on.
        let mut broken = false;
        send_rest(cx, &exchange.worker.buffers, client, endpoint, sending, &mut broken)?;
        if let Poll::Ready(Err(error)) = exchange.downstream.poll_ahead(cx) {
            return Poll::Ready(Err(error));
        }
        if exchange.downstream.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Error::new(Kind::DownstreamGone, "the client gave up")));
        }
        let progress = sending.progress() + progress;
        deadlines.poll(cx, &mut exchange.downstream.timer, progress).map(Err)
    }
}
