//! The queue against the rules of vb2.

use super::*;

const SIZE: u32 = 614_400;
const SPAN: u32 = 614_400;
const CAPTURE: u32 = V4L2_BUF_TYPE_VIDEO_CAPTURE;
const MEMORY: u64 = 64 << 20;
const A: u64 = 1;
const B: u64 = 2;

fn request(count: u32) -> v4l2_requestbuffers {
    v4l2_requestbuffers { count, type_: CAPTURE, memory: V4L2_MEMORY_MMAP, ..zeroed() }
}

fn buffer(index: u32) -> Buffer {
    Buffer { index, type_: CAPTURE, memory: V4L2_MEMORY_MMAP, ..zeroed() }
}

fn creation(count: u32, sizeimage: u32) -> CreateBuffers {
    let mut creation: CreateBuffers = zeroed();
    (creation.count, creation.memory) = (count, V4L2_MEMORY_MMAP);
    (creation.format.type_, creation.format.pix.sizeimage) = (CAPTURE, sizeimage);
    creation
}

fn queue(count: u32) -> Queue {
    let mut queue = Queue::new(MEMORY);
    queue.reqbufs(A, &mut request(count), SIZE).unwrap();
    queue
}

fn queue_all(queue: &mut Queue) {
    for index in 0..queue.len() as u32 {
        queue.qbuf(A, &mut buffer(index), SIZE).unwrap();
    }
}

fn streaming() -> Queue {
    let mut queue = queue(4);
    queue_all(&mut queue);
    queue.streamon(A, CAPTURE, |_| Ok(())).unwrap();
    queue
}

fn frame(sequence: u32) -> Completion {
    Completion::frame(sequence, Timestamp { sec: 1, usec: sequence.into() }, SIZE)
}

fn flags(queue: &Queue, index: u32) -> u32 {
    let mut queried = buffer(index);
    queue.querybuf(&mut queried).unwrap();
    queried.flags & !V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC
}

/// The hardware fills the next buffer.
fn fill(queue: &mut Queue, sequence: u32) -> usize {
    let index = queue.next_active().expect("a buffer is queued");
    queue.buffer_done(index, frame(sequence));
    index
}

#[test]
fn reqbufs_makes_what_is_asked_for_and_at_most_32() {
    for (asked, given) in [(1, 1), (2, 2), (7, 7), (32, 32), (33, 32), (u32::MAX, 32)] {
        let mut queue = Queue::new(MEMORY);
        let mut request = v4l2_requestbuffers { flags: 0xff, reserved: [1; 3], ..request(asked) };
        queue.reqbufs(A, &mut request, SIZE).unwrap();
        assert_eq!((request.count, queue.len(), queue.is_empty()), (given, given as usize, false));
        assert_eq!(request.capabilities, super::buffers::CAPABILITIES);
        assert_eq!((request.flags, request.reserved), (0, [0; 3]));
    }
    let mut queue = queue(4);
    queue.reqbufs(A, &mut request(0), SIZE).unwrap();
    assert!(!queue.is_busy() && !queue.is_owner(A) && queue.is_empty());
}

#[test]
fn reqbufs_refuses() {
    let mut queue = streaming();
    assert_eq!(queue.reqbufs(A, &mut request(4), SIZE), Err(Errno::EBUSY), "streaming");
    assert_eq!(queue.reqbufs(A, &mut request(0), SIZE), Err(Errno::EBUSY), "streaming");
    queue.cancel();
    assert_eq!(queue.reqbufs(B, &mut request(0), SIZE), Err(Errno::EBUSY), "another owner");
    for wrong in [
        v4l2_requestbuffers { type_: 2, ..request(1) },
        v4l2_requestbuffers { memory: 2, ..request(1) },
        v4l2_requestbuffers { memory: 0, ..request(0) },
    ] {
        assert_eq!(queue.reqbufs(A, &mut { wrong }, SIZE), Err(Errno::EINVAL));
    }
    assert_eq!(queue.len(), 4, "a refusal changes nothing");
}

#[test]
fn memory_is_bounded() {
    let mut queue = Queue::new(u64::from(SPAN) * 6);
    let mut asked = request(32);
    queue.reqbufs(A, &mut asked, SIZE).unwrap();
    assert_eq!(asked.count, 6, "as many as fit");
    let mut small = Queue::new(u64::from(SPAN) - 1);
    assert_eq!(small.reqbufs(A, &mut request(4), SIZE), Err(Errno::ENOMEM), "not one fits");
    assert!(!small.is_busy() && !small.is_owner(A));
    assert_eq!(small.reqbufs(A, &mut request(4), u32::MAX), Err(Errno::ENOMEM));
    assert_eq!(small.reqbufs(A, &mut request(4), 0), Err(Errno::ENOMEM));
    let mut one = Queue::new(SPAN.into());
    assert_eq!(one.start_reading(A, SIZE, |_| panic!("started")), Err(Errno::ENOMEM), "a reader needs two");
    assert!(one.is_empty() && !one.is_reading());
}

#[test]
fn create_bufs_adds() {
    let mut queue = queue(5);
    let mut more = creation(2, SIZE * 2);
    queue.create_bufs(A, &mut more, SIZE).unwrap();
    assert_eq!((more.index, more.count, queue.len()), (5, 2, 7));
    let mut last = buffer(6);
    queue.querybuf(&mut last).unwrap();
    assert_eq!((last.offset, last.length), (5 * SPAN + 2 * SPAN, SIZE * 2));
    assert_eq!(queue.create_bufs(A, &mut creation(1, SIZE / 2), SIZE), Err(Errno::EINVAL), "too small");
    assert_eq!(queue.create_bufs(B, &mut creation(1, SIZE), SIZE), Err(Errno::EBUSY));
    assert_eq!(queue.create_bufs(B, &mut creation(0, 0), SIZE), Ok(()), "only looks whether it could");
    let other = CreateBuffers { memory: 2, ..creation(0, SIZE) };
    assert_eq!(queue.create_bufs(A, &mut { other }, SIZE), Err(Errno::EINVAL));
    let mut rest = creation(100, SIZE);
    queue.create_bufs(A, &mut rest, SIZE).unwrap();
    assert_eq!((rest.count, queue.len()), (25, 32));
    assert_eq!(queue.create_bufs(A, &mut rest, SIZE).map_err(Errno::raw), Err(105), "ENOBUFS");
}

#[test]
fn buffers_lie_one_behind_the_other() {
    let mut queue = Queue::new(MEMORY);
    queue.reqbufs(A, &mut request(5), 100).unwrap();
    for index in 0..5 {
        let mut queried = buffer(index);
        queue.querybuf(&mut queried).unwrap();
        assert_eq!((queried.offset, queried.length, queried.memory), (index * 4096, 100, V4L2_MEMORY_MMAP));
        assert_eq!(flags(&queue, index), 0);
        assert_eq!(queue.mmap(u64::from(queried.offset), 4096), Ok(index as usize));
        assert_eq!(flags(&queue, index), V4L2_BUF_FLAG_MAPPED);
    }
    assert_eq!(queue.mmap(0, 4097), Err(Errno::EINVAL));
    assert_eq!(queue.mmap(5 * 4096, 1), Err(Errno::EINVAL));
    assert_eq!(queue.mmap(1, 1), Err(Errno::EINVAL));
    assert_eq!(queue.querybuf(&mut buffer(5)), Err(Errno::EINVAL));
    assert_eq!(queue.querybuf(&mut Buffer { type_: 2, ..buffer(0) }), Err(Errno::EINVAL));
}

#[test]
fn a_buffer_goes_round() {
    let mut queue = streaming();
    assert_eq!(queue.dqbuf(A, CAPTURE), Ok(None), "nothing yet: sleep");
    assert_eq!(queue.readiness(), Readiness::Waiting);
    assert_eq!(flags(&queue, 0), V4L2_BUF_FLAG_QUEUED);
    let index = queue.next_active().unwrap();
    assert_eq!((index, queue.state(0)), (0, Some(BufferState::Active)));
    assert_eq!(flags(&queue, 0), V4L2_BUF_FLAG_QUEUED, "user space sees no difference");
    queue.buffer_done(index, frame(7));
    assert_eq!(flags(&queue, 0), V4L2_BUF_FLAG_DONE);
    assert_eq!(queue.readiness(), Readiness::Readable);
    let filled = queue.dqbuf(A, CAPTURE).unwrap().unwrap();
    assert_eq!(filled.flags, V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC);
    assert_eq!((filled.index, filled.sequence, filled.bytesused), (0, 7, SIZE));
    assert_eq!((filled.field, filled.timestamp.usec), (V4L2_FIELD_NONE, 7));
    let mut again = filled;
    queue.qbuf(A, &mut again, SIZE).unwrap();
    assert_eq!((again.bytesused, again.sequence, again.timestamp), (0, 0, Timestamp::default()));
    assert_eq!(again.field, V4L2_FIELD_NONE, "as before");
    assert_eq!(queue.qbuf(A, &mut buffer(0), SIZE), Err(Errno::EINVAL), "queued already");
}

#[test]
fn done_buffers_come_in_order_and_errors_are_marked() {
    let mut queue = streaming();
    fill(&mut queue, 0);
    let bad = queue.next_active().unwrap();
    queue.buffer_error(bad, Completion::default());
    assert_eq!(flags(&queue, 1), V4L2_BUF_FLAG_DONE | V4L2_BUF_FLAG_ERROR);
    let first = queue.dqbuf(A, CAPTURE).unwrap().unwrap();
    let second = queue.dqbuf(A, CAPTURE).unwrap().unwrap();
    assert_eq!((first.index, second.index), (0, 1));
    assert_eq!(second.flags & !V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC, V4L2_BUF_FLAG_ERROR);
    queue.buffer_done(0, frame(9));
    assert_eq!(queue.dqbuf(A, CAPTURE), Ok(None), "the hardware did not have buffer 0");
}

#[test]
fn the_hardware_starts_with_the_stream_however_few_buffers_are_queued() {
    for queued in [0, 1, 2, 5] {
        let mut queue = queue(5);
        for index in 0..queued {
            queue.qbuf(A, &mut buffer(index), SIZE).unwrap();
        }
        let mut taken = Vec::new();
        let start = |queue: &mut Queue| {
            taken = (0..3).filter_map(|_| queue.next_active()).collect();
            Ok(())
        };
        queue.streamon(A, CAPTURE, start).unwrap();
        assert!(queue.is_streaming() && queue.is_started());
        assert_eq!(taken.len() as u32, queued.min(3));
        let ready = if queued == 0 { Readiness::Error } else { Readiness::Waiting };
        assert_eq!(queue.readiness(), ready, "nothing to wait for until a buffer is queued");
        assert_eq!(queue.streamon(A, CAPTURE, |_| panic!("twice")), Ok(()), "on already");
    }
}

#[test]
fn a_start_that_fails_leaves_the_buffers_queued() {
    let mut queue = queue(5);
    queue_all(&mut queue);
    let failed = queue.streamon(A, CAPTURE, |queue| {
        queue.next_active();
        queue.next_active();
        Err(Errno::EPIPE)
    });
    assert_eq!(failed, Err(Errno::EPIPE));
    assert!(!queue.is_streaming() && !queue.is_started());
    assert_eq!(queue.queued_count(), 5);
    queue.streamon(A, CAPTURE, |_| Ok(())).unwrap();
    assert_eq!(queue.next_active(), Some(0));
}

#[test]
fn streamon_and_off_refuse() {
    let mut empty = Queue::new(MEMORY);
    assert_eq!(empty.streamon(A, CAPTURE, |_| Ok(())), Err(Errno::EINVAL), "no buffers");
    assert_eq!(empty.check_stream(A, CAPTURE), Ok(()), "off already");
    let mut queue = queue(4);
    assert_eq!(queue.streamon(A, 2, |_| Ok(())), Err(Errno::EINVAL));
    assert_eq!(queue.streamon(B, CAPTURE, |_| Ok(())), Err(Errno::EBUSY));
    assert_eq!(queue.check_stream(B, CAPTURE), Err(Errno::EBUSY));
    assert_eq!(queue.check_stream(A, 2), Err(Errno::EINVAL));
    assert_eq!(queue.dqbuf(A, CAPTURE), Err(Errno::EINVAL), "off");
}

#[test]
fn streamoff_gives_everything_back() {
    let mut queue = streaming();
    fill(&mut queue, 0);
    let late = queue.next_active().unwrap();
    queue.check_stream(A, CAPTURE).unwrap();
    queue.cancel();
    assert!(!queue.is_streaming() && !queue.is_started() && queue.is_owner(A));
    assert_eq!((0..4).map(|index| flags(&queue, index)).sum::<u32>(), 0);
    queue.buffer_done(late, frame(1));
    assert_eq!(queue.state(late), Some(BufferState::Dequeued), "a late interrupt changes nothing");
    assert_eq!(queue.dqbuf(A, CAPTURE), Err(Errno::EINVAL), "the sleepers' answer");
    assert_eq!(queue.readiness(), Readiness::Error);
    queue_all(&mut queue);
    queue.streamon(A, CAPTURE, |_| Ok(())).unwrap();
    assert_eq!(fill(&mut queue, 0), 0);
}

#[test]
fn qbuf_refuses() {
    let mut queue = queue(4);
    let refused = |queue: &mut Queue, file, wrong: Buffer, size| queue.qbuf(file, &mut { wrong }, size);
    assert_eq!(refused(&mut queue, B, buffer(0), SIZE), Err(Errno::EBUSY));
    assert_eq!(refused(&mut queue, A, buffer(9), SIZE), Err(Errno::EINVAL));
    assert_eq!(refused(&mut queue, A, Buffer { memory: 2, ..buffer(0) }, SIZE), Err(Errno::EINVAL));
    assert_eq!(refused(&mut queue, A, Buffer { type_: 9, ..buffer(0) }, SIZE), Err(Errno::EINVAL));
    let flags = V4L2_BUF_FLAG_REQUEST_FD;
    assert_eq!(refused(&mut queue, A, Buffer { flags, ..buffer(0) }, SIZE), Err(Errno::EBADR));
    assert_eq!(refused(&mut queue, A, buffer(0), SIZE + 1), Err(Errno::EINVAL), "smaller than a picture");
    assert_eq!(queue.queued_count(), 0);
}

#[test]
fn a_prepared_buffer_can_be_queued_once() {
    let mut queue = queue(4);
    let mut prepared = buffer(2);
    queue.prepare_buf(A, &mut prepared, SIZE).unwrap();
    assert_eq!(flags(&queue, 2), V4L2_BUF_FLAG_PREPARED);
    assert_eq!(queue.prepare_buf(A, &mut prepared, SIZE), Err(Errno::EINVAL));
    queue.qbuf(A, &mut prepared, SIZE).unwrap();
    assert_eq!(flags(&queue, 2), V4L2_BUF_FLAG_QUEUED);
    assert_eq!(queue.prepare_buf(A, &mut prepared, SIZE), Err(Errno::EINVAL));
    queue.cancel();
    assert_eq!(flags(&queue, 2), 0);
}

#[test]
fn after_an_error_only_a_new_start_helps() {
    let mut queue = streaming();
    fill(&mut queue, 0);
    queue.set_error(Errno::EIO);
    assert_eq!(queue.dqbuf(A, CAPTURE), Err(Errno::EIO));
    assert_eq!(queue.readiness(), Readiness::Error);
    queue.cancel();
    queue_all(&mut queue);
    queue.streamon(A, CAPTURE, |_| Ok(())).unwrap();
    assert_eq!(queue.dqbuf(A, CAPTURE), Ok(None));
}

#[test]
fn one_thread_waits() {
    let mut queue = streaming();
    assert_eq!(queue.begin_wait(), Ok(()));
    assert_eq!(queue.begin_wait(), Err(Errno::EBUSY));
    queue.cancel();
    assert_eq!(queue.reqbufs(A, &mut request(4), SIZE), Err(Errno::EBUSY), "the sleeper has not left yet");
    queue.end_wait();
    assert_eq!(queue.reqbufs(A, &mut request(4), SIZE), Ok(()));
}

#[test]
fn release_frees_what_the_file_owns() {
    let mut queue = streaming();
    assert!(!queue.release(B));
    assert!(queue.is_streaming());
    assert!(queue.release(A));
    assert!(!queue.is_busy() && !queue.is_streaming());
    assert_eq!(queue.reqbufs(B, &mut request(4), SIZE), Ok(()));
}

#[test]
fn reading_is_a_client_of_its_own() {
    let mut queue = Queue::new(MEMORY);
    assert_eq!(queue.readiness(), Readiness::Idle);
    assert_eq!(queue.read(A, 1), Err(Errno::EINVAL));
    let mut starts = 0;
    for _ in 0..2 {
        let started = queue.start_reading(A, SIZE, |_| {
            starts += 1;
            Ok(())
        });
        assert_eq!(started, Ok(()));
    }
    assert_eq!((starts, queue.queued_count()), (1, 2));
    assert!(queue.is_reading() && queue.is_started() && queue.is_owner(A));
    assert_eq!(queue.read(A, 10), Ok(None));
    assert_eq!(queue.readiness(), Readiness::Waiting);
    fill(&mut queue, 0);
    assert_eq!(queue.readiness(), Readiness::Readable);
    assert_eq!(queue.read(B, 10), Err(Errno::EBUSY));

    let first = SIZE as usize - 10;
    assert_eq!(queue.read(A, first), Ok(Some(Chunk { offset: 0, length: first })));
    queue.has_read(first);
    assert_eq!(queue.read(A, 100), Ok(Some(Chunk { offset: first as u64, length: 10 })), "the rest, and no more");
    queue.has_read(10);
    assert_eq!(queue.queued_count(), 2, "queued again");
    let bad = queue.next_active().unwrap();
    queue.buffer_error(bad, Completion::default());
    let good = fill(&mut queue, 2);
    let offset = good as u64 * u64::from(SPAN);
    assert_eq!(queue.read(A, usize::MAX), Ok(Some(Chunk { offset, length: SIZE as usize })), "what failed is skipped");
    queue.has_read(SIZE as usize);

    for answer in [
        queue.reqbufs(A, &mut request(4), SIZE),
        queue.create_bufs(A, &mut creation(1, SIZE), SIZE),
        queue.qbuf(A, &mut buffer(0), SIZE),
        queue.prepare_buf(A, &mut buffer(0), SIZE),
        queue.dqbuf(A, CAPTURE).map(drop),
        queue.streamon(A, CAPTURE, |_| Ok(())),
        queue.check_stream(A, CAPTURE),
    ] {
        assert_eq!(answer, Err(Errno::EBUSY));
    }
    queue.release(A);
    assert_eq!(queue.readiness(), Readiness::Idle);
}

#[test]
fn reading_does_not_take_a_queue_in_use() {
    let mut queue = queue(4);
    assert_eq!(queue.start_reading(A, SIZE, |_| Ok(())), Err(Errno::EBUSY));
    assert_eq!(queue.start_reading(B, SIZE, |_| Ok(())), Err(Errno::EBUSY));
    assert_eq!(queue.len(), 4);
    queue.release(A);
    assert_eq!(queue.start_reading(B, SIZE, |_| Err(Errno::EPIPE)), Err(Errno::EPIPE));
    assert!(!queue.is_busy() && !queue.is_owner(B) && !queue.is_reading());
}
