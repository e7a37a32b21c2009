use super::*;
use crate::telemetry::record::{Attempt, Candidate, frame};
use proptest::prelude::*;
use std::collections::VecDeque;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn small(records: usize, headers: &[String], redact: &[String]) -> Ring {
    Ring::new(&RingOptions { records, bytes_per_record: 0, headers, redact })
}

#[test]
fn a_record_comes_back_with_its_texts_and_its_number() {
    let mut ring = small(4, &names(&["user-agent"]), &[]);
    let mut record = Record { status: 200, ..Record::default() };
    let texts = Texts {
        request_id: b"id-1",
        method: b"GET",
        authority: b"reviews",
        path: b"/a?b",
        headers: &[(0, b"curl")],
        trail: &[],
    };
    ring.push(&mut record, &texts);
    let read = ring.read(0, 10);
    assert_eq!(read.len(), 1);
    assert_eq!((record.seq, read[0].record), (1, record));
    assert_eq!((&read[0].request_id[..], &read[0].path[..]), (&b"id-1"[..], &b"/a?b"[..]));
    assert_eq!(read[0].headers, vec![(0, b"curl".to_vec())]);
}

#[test]
fn attempts_candidates_and_the_sentence_come_back_behind_the_headers() {
    let mut ring = small(4, &names(&["user-agent"]), &[]);
    let attempts =
        [Attempt { cause: 6, endpoint: 1, ..Attempt::default() }, Attempt { status: 200, ..Attempt::default() }];
    let candidates = [Candidate { attempt: 0, endpoint: 1, score: 0.5 }];
    let trail = frame("the endpoint refused", &attempts, &candidates);
    ring.push(&mut Record::default(), &Texts { headers: &[(0, b"curl")], trail: &trail, ..Texts::default() });
    let read = &ring.read(0, 10)[0];
    assert_eq!(read.headers, vec![(0, b"curl".to_vec())]);
    assert_eq!((&read.trail.attempts[..], &read.trail.candidates[..]), (&attempts[..], &candidates[..]));
    assert_eq!(read.trail.detail, "the endpoint refused");
}

#[test]
fn selecting_walks_back_in_portions_and_sees_every_intact_record_once() {
    let mut ring = small(8, &[], &[]);
    for turn in 1..=20_u16 {
        let id = format!("id-{turn}");
        ring.push(
            &mut Record { status: turn, ..Record::default() },
            &Texts { request_id: id.as_bytes(), ..Texts::default() },
        );
    }
    for portion in [1, 3, 8, 100] {
        let (mut found, mut before) = (Vec::new(), Some(u64::MAX));
        while let Some(from) = before {
            before = ring.select(from, portion, &|_, _| true, &mut found);
        }
        let seqs: Vec<u64> = found.iter().map(|read| read.record.seq).collect();
        assert_eq!(seqs, [20, 19, 18, 17, 16, 15, 14, 13], "portions of {portion}");
    }
    let mut found = Vec::new();
    assert_eq!(ring.select(u64::MAX, 100, &|record, id| record.status > 14 && id == b"id-15", &mut found), None);
    assert_eq!(found.len(), 1);
    assert_eq!(small(8, &[], &[]).select(u64::MAX, 10, &|_, _| true, &mut found), None);
}

#[test]
fn a_redacted_header_is_never_stored() {
    let mut ring = small(4, &names(&["user-agent", "Authorization"]), &names(&["authorization"]));
    let headers: &[(u8, &[u8])] = &[(0, b"curl"), (1, b"Bearer secret")];
    ring.push(&mut Record::default(), &Texts { headers, ..Texts::default() });
    assert_eq!(ring.read(1, 1)[0].headers, vec![(0, b"curl".to_vec()), (1, b"[redacted]".to_vec())]);
    assert!(!ring.bytes.windows(6).any(|bytes| bytes == b"secret"));
}

#[test]
fn a_text_over_one_kibibyte_is_cut_and_marked() {
    let mut ring = small(4, &[], &[]);
    let (fits, long) = (vec![b'f'; MAX_TEXT], vec![b'l'; MAX_TEXT + 1]);
    ring.push(&mut Record::default(), &Texts { path: &fits, ..Texts::default() });
    ring.push(&mut Record::default(), &Texts { path: &long, ..Texts::default() });
    let read = ring.read(0, 2);
    assert_eq!((read[0].path.len(), read[0].record.marks.has(Mark::Cut)), (MAX_TEXT, false));
    assert_eq!((read[1].path.len(), read[1].record.marks.has(Mark::Cut)), (MAX_TEXT, true));
}

#[test]
fn headers_beyond_the_room_of_a_record_are_left_out_and_marked() {
    let mut ring = small(4, &[], &[]);
    let value = vec![b'v'; MAX_TEXT];
    let headers: Vec<(u8, &[u8])> = (0..40).map(|name| (name, &value[..])).collect();
    ring.push(&mut Record::default(), &Texts { headers: &headers, ..Texts::default() });
    let read = ring.read(0, 1);
    assert_eq!((read[0].headers.len(), read[0].record.marks.has(Mark::Cut)), (15, true));
}

#[test]
fn reading_begins_where_it_is_told_and_stops_at_max() {
    let mut ring = small(8, &[], &[]);
    for _ in 0..20 {
        ring.push(&mut Record::default(), &Texts::default());
    }
    let seqs = |from, max| ring.read(from, max).iter().map(|read| read.record.seq).collect::<Vec<_>>();
    assert_eq!(seqs(0, 3), [13, 14, 15]);
    assert_eq!(seqs(18, 10), [18, 19, 20]);
    assert_eq!(seqs(21, 10), [0; 0]);
    assert_eq!(seqs(u64::MAX, 10), [0; 0]);
}

#[test]
fn memory_is_stated_and_does_not_grow() {
    let mut ring = Ring::new(&RingOptions::default());
    let stated = ring.memory();
    assert_eq!(stated, 16_384 * (size_of::<Record>() + 192));
    let (records, bytes) = (ring.records.capacity(), ring.bytes.len());
    for _ in 0..40_000 {
        ring.push(&mut Record::default(), &Texts { path: &[b'/'; 500], ..Texts::default() });
    }
    assert_eq!((ring.records.capacity(), ring.bytes.len(), ring.memory()), (records, bytes, stated));
}

#[test]
fn one_byte_overwritten_is_enough_to_lose_a_record_and_none_is_not() {
    let framing = 4 * LENGTH;
    // Zeros: written over the length of an empty text they change nothing that reading could stumble at.
    let push = |ring: &mut Ring, path: usize| {
        ring.push(&mut Record::default(), &Texts { path: &vec![0; path], ..Texts::default() });
    };
    for (path, oldest) in [(1, 2), (2, 3)] {
        let mut ring = small(64, &[], &[]);
        // The first record ends at byte 9, the others fill the ring to its last byte.
        push(&mut ring, 1);
        for _ in 0..15 {
            push(&mut ring, 1024 - framing);
        }
        push(&mut ring, 1024 - framing - (framing + 1));
        assert_eq!((ring.written, ring.read(0, 100).len()), (ring.bytes.len() as u64, 17));
        push(&mut ring, path);
        assert_eq!(ring.read(0, 100)[0].record.seq, oldest, "{} bytes are overwritten", framing + path);
    }
}

/// The newest records whose texts, with the unused ends between them, still fit: written again, simply.
struct Model {
    kept: VecDeque<(u64, usize, Vec<u8>, Vec<u8>)>,
    capacity: usize,
    size: usize,
    written: usize,
    pushed: u64,
}

impl Model {
    fn push(&mut self, path: &[u8], value: &[u8]) {
        let cut = |text: &[u8]| text[..text.len().min(MAX_TEXT)].to_vec();
        let (path, value) = (cut(path), cut(value));
        let length = 4 * LENGTH + path.len() + 1 + LENGTH + value.len();
        if self.written % self.size + length > self.size {
            self.written = self.written.next_multiple_of(self.size);
        }
        self.pushed += 1;
        self.kept.push_back((self.pushed, self.written, path, value));
        self.written += length;
        while self.kept.len() > self.capacity || self.kept.front().is_some_and(|kept| kept.1 + self.size < self.written)
        {
            self.kept.pop_front();
        }
    }
}

proptest! {
    #[test]
    fn the_ring_holds_what_a_queue_of_the_same_size_holds(
        capacity in 1usize..80,
        lengths in prop::collection::vec((0usize..1400, 0usize..1400), 1..150),
    ) {
        let mut ring = small(capacity, &names(&["h"]), &[]);
        let mut model =
            Model { kept: VecDeque::new(), capacity, size: ring.bytes.len(), written: 0, pushed: 0 };
        for (turn, (path, value)) in lengths.into_iter().enumerate() {
            let (path, value) = (vec![turn as u8; path], vec![!turn as u8; value]);
            ring.push(&mut Record::default(), &Texts { path: &path, headers: &[(0, &value)], ..Texts::default() });
            model.push(&path, &value);
            let held = ring.read(0, usize::MAX);
            prop_assert_eq!(held.len(), model.kept.len());
            for (held, kept) in held.iter().zip(&model.kept) {
                prop_assert_eq!(held.record.seq, kept.0);
                prop_assert_eq!(&held.path, &kept.2);
                prop_assert_eq!(&held.headers[0].1, &kept.3);
            }
        }
    }

    #[test]
    fn a_position_stays_right_when_the_count_of_bytes_passes_32_bits(
        lengths in prop::collection::vec(0usize..1024, 60..120),
    ) {
        let mut ring = small(16, &[], &[]);
        let size = ring.bytes.len() as u64;
        ring.written = (u64::from(u32::MAX) / size) * size;
        for (turn, length) in lengths.into_iter().enumerate() {
            let path = vec![turn as u8; length];
            ring.push(&mut Record::default(), &Texts { path: &path, ..Texts::default() });
            let newest = ring.read(ring.last_seq(), 1);
            prop_assert_eq!(&newest[0].path, &path);
        }
        prop_assert_eq!(ring.read(0, usize::MAX).len().min(8), 8);
    }
}
