//! Log lines that a misbehaving peer can cause: at most one in a few seconds, with the number left out in between.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

const PAUSE: Duration = Duration::from_secs(5);

/// A gate for one kind of line.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    state: Mutex<(Option<Instant>, u64)>,
}

impl Quiet {
    /// `Some(left out since the last one)` when a line may be written now.
    pub(crate) fn may_speak(&self) -> Option<u64> {
        let mut state = self.state.lock();
        if state.0.is_some_and(|at| at.elapsed() < PAUSE) {
            state.1 += 1;
            return None;
        }
        state.0 = Some(Instant::now());
        Some(std::mem::take(&mut state.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_speaks_and_the_rest_are_counted() {
        let quiet = Quiet::default();
        assert_eq!(quiet.may_speak(), Some(0));
        assert_eq!(quiet.may_speak(), None);
        assert_eq!(quiet.may_speak(), None);
        quiet.state.lock().0 = None;
        assert_eq!(quiet.may_speak(), Some(2));
    }
}
