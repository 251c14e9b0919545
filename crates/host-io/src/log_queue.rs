//! The log's way to standard error. A program must not stop because nobody reads its log, so lines that find the pipe full
//! wait in a bounded queue, and those that find the queue full are counted and dropped.

use std::{
    collections::VecDeque,
    mem,
    os::fd::AsFd,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use crate::stderr;

/// What waits for a reader, in bytes: a few hundred lines on top of the 64 KiB in the pipe.
const QUEUE_MAX: usize = 32 << 10;

/// How long the end of a program waits for the reader.
const FLUSH: Duration = Duration::from_secs(1);

/// Lines on their way to a file descriptor.
pub(crate) struct LogQueue {
    out: Box<dyn AsFd + Send + Sync>,
    /// Logs that lines were dropped; called without a lock held.
    report: fn(u64),
    state: Mutex<State>,
    drained: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    dropped: u64,
    /// There is a thread that writes the queue. Without one the queue is empty.
    draining: bool,
}

impl LogQueue {
    pub(crate) fn new(out: Box<dyn AsFd + Send + Sync>, report: fn(u64)) -> Arc<Self> {
        Arc::new(Self { out, report, state: Mutex::default(), drained: Condvar::new() })
    }

    /// Writes a line at once if the descriptor takes it. Never waits.
    pub(crate) fn write(self: &Arc<Self>, line: &[u8]) {
        let mut state = self.state();
        if state.draining {
            // After a gap no line may follow before the gap is reported.
            if state.dropped > 0 || state.bytes + line.len() > QUEUE_MAX {
                state.dropped += 1;
            } else {
                state.push(line);
            }
            return;
        }
        let written = stderr::write(&self.out, line, Some(Duration::ZERO));
        if written == line.len() {
            return;
        }
        state.push(&line[written..]);
        state.draining = true;
        let queue = Arc::clone(self);
        // Only now, so that a log that is read costs no thread.
        if thread::Builder::new().name("log".to_owned()).spawn(move || queue.drain()).is_err() {
            *state = State { dropped: state.dropped + 1, ..State::default() };
        }
    }

    /// Waits until all lines are written, for at most a second.
    pub(crate) fn flush(&self) {
        let waited = self.drained.wait_timeout_while(self.state(), FLUSH, |state| state.draining);
        drop(waited);
    }

    fn drain(&self) {
        loop {
            let mut state = self.state();
            if let Some(line) = state.pop() {
                drop(state);
                stderr::write(&self.out, &line, None);
                continue;
            }
            match mem::take(&mut state.dropped) {
                0 => {
                    state.draining = false;
                    self.drained.notify_all();
                    return;
                }
                dropped => {
                    drop(state);
                    (self.report)(dropped);
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, line: &[u8]) {
        self.bytes += line.len();
        self.lines.push_back(line.to_vec());
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let line = self.lines.pop_front()?;
        self.bytes -= line.len();
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::Read,
        sync::{LazyLock, OnceLock},
    };

    use rustix::pipe::{fcntl_setpipe_size, pipe};

    use super::*;

    static REPORTED: OnceLock<Arc<LogQueue>> = OnceLock::new();

    /// One page of room, full.
    fn full_pipe() -> (File, std::os::fd::OwnedFd) {
        let (reader, writer) = pipe().unwrap();
        fcntl_setpipe_size(&writer, 4096).unwrap();
        assert_eq!(stderr::write(&writer, &[b'#'; 4096], Some(Duration::ZERO)), 4096);
        assert_eq!(stderr::write(&writer, b"more", Some(Duration::from_millis(20))), 0);
        (reader.into(), writer)
    }

    /// Nothing waits for a reader, and one who comes late gets every line or is told how many are missing.
    #[test]
    fn lines_that_nobody_reads_are_kept_then_counted_and_dropped() {
        let (mut reader, writer) = full_pipe();
        let queue = LogQueue::new(Box::new(writer), |dropped| {
            REPORTED.get().unwrap().write(format!("dropped {dropped}\n").as_bytes());
        });
        REPORTED.set(Arc::clone(&queue)).ok().unwrap();
        let line = |number: usize| format!("{number:04} {}\n", "x".repeat(1018));
        // The first line waits in the thread's hand, not in the queue.
        let kept = QUEUE_MAX / 1024;
        queue.write(b"first\n");
        while !queue.state().lines.is_empty() {
            thread::yield_now();
        }
        for number in 0..kept + 7 {
            queue.write(line(number).as_bytes());
        }
        let expected: String =
            (0..kept).map(line).chain(["dropped 7\n".to_owned(), "last\n".to_owned()]).collect();
        let expected = "#".repeat(4096) + "first\n" + &expected;
        let read = thread::spawn(move || {
            let mut bytes = vec![0; expected.len()];
            reader.read_exact(&mut bytes).unwrap();
            assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        });
        queue.flush();
        queue.write(b"last\n");
        queue.flush();
        read.join().unwrap();
    }

    #[test]
    fn a_log_that_is_read_costs_no_thread() {
        static LINES: LazyLock<Vec<u8>> = LazyLock::new(|| vec![b'x'; 10_000]);
        let (reader, writer) = pipe().unwrap();
        let queue = LogQueue::new(Box::new(writer), |_| {});
        queue.write(&LINES);
        assert!(!queue.state().draining);
        // A pipe without a reader takes everything.
        drop(reader);
        queue.write(&LINES);
        assert!(!queue.state().draining);
    }
}
