//! Random operations against a `BTreeMap`, with a pool too small for the data and crashes at random CPLs.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use protocol::Lsn;

#[derive(Clone, Debug)]
enum Step {
    Put(u16, usize, u8),
    Patch(u16, u8),
    Delete(u16),
    DeleteRun(u16, u16),
    Get(u16),
    Scan(u16, u16, bool, usize),
    Crash(Index),
}

fn step() -> impl Strategy<Value = Step> {
    let len = prop_oneof![12 => 0usize..80, 4 => 80usize..900, 1 => 3000usize..4097];
    prop_oneof![
        40 => (0u16..400, len, any::<u8>()).prop_map(|(k, l, b)| Step::Put(k, l, b)),
        6 => (0u16..400, any::<u8>()).prop_map(|(k, b)| Step::Patch(k, b)),
        10 => (0u16..400).prop_map(Step::Delete),
        3 => (0u16..400, 0u16..120).prop_map(|(k, n)| Step::DeleteRun(k, n)),
        8 => (0u16..400).prop_map(Step::Get),
        4 => (0u16..400, 0u16..400, any::<bool>(), 1usize..60).prop_map(|(a, b, f, s)| Step::Scan(a, b, f, s)),
        1 => any::<Index>().prop_map(Step::Crash),
    ]
}

/// How numbers become keys: fixed, with long common prefixes, of all lengths, and very long.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Fixed,
    Prefixed,
    Ragged,
    Huge,
}

fn key(shape: Shape, number: u16) -> Vec<u8> {
    let mut key = match shape {
        Shape::Fixed => Vec::new(),
        Shape::Prefixed => format!("some/common/prefix/{}/", number / 50).into_bytes(),
        Shape::Ragged => vec![(number % 3) as u8; usize::from(number % 40)],
        Shape::Huge => vec![b'k'; usize::from(number % 7) * 620],
    };
    if !(matches!(shape, Shape::Ragged) && number.is_multiple_of(40)) {
        key.extend_from_slice(&number.to_be_bytes());
    }
    key
}

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// What changed at which LSN, so that the model of any CPL can be made.
type History = Vec<(Lsn, Vec<u8>, Option<Vec<u8>>)>;

fn model_at(history: &History, lsn: Lsn) -> Model {
    let mut model = Model::new();
    for (_, key, value) in history.iter().filter(|(at, ..)| *at <= lsn) {
        match value {
            Some(value) => model.insert(key.clone(), value.clone()),
            None => model.remove(key),
        };
    }
    model
}

struct Run {
    bed: Bed,
    shape: Shape,
    model: Model,
    history: History,
    made: Lsn,
}

impl Run {
    fn change(&mut self, key: Vec<u8>, value: Option<Vec<u8>>, lsn: Lsn) {
        assert_ne!(lsn, Lsn::ZERO, "a change without an LSN");
        match &value {
            Some(value) => self.model.insert(key.clone(), value.clone()),
            None => self.model.remove(&key),
        };
        self.history.push((lsn, key, value));
    }

    fn delete(&mut self, number: u16) {
        let key = key(self.shape, number);
        let gone = self.bed.delete(&key);
        assert_eq!(gone.value, self.model.contains_key(&key));
        if gone.value {
            self.change(key, None, gone.lsn);
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Put(number, len, byte) => {
                let (key, value) = (key(self.shape, number), vec![byte; len]);
                if self.model.get(&key) == Some(&value) {
                    return;
                }
                let put = self.bed.put(&key, &value);
                assert_eq!(put.value, self.model.contains_key(&key));
                self.change(key, Some(value), put.lsn);
            }
            Step::Patch(number, byte) => {
                let key = key(self.shape, number);
                let Some(mut value) = self.model.get(&key).cloned() else { return };
                let at = value.len() / 2;
                if value.get(at).is_none_or(|old| *old == byte) {
                    return;
                }
                value[at] = byte;
                let patched = block_on(self.bed.tree.modify(&key, Room::default(), &[], |edit| {
                    edit.patch(at, &[byte]);
                    Decision::Done(())
                }));
                self.change(key, Some(value), patched.expect("patch").lsn);
            }
            Step::Delete(number) => self.delete(number),
            Step::DeleteRun(number, count) => (number..number + count).for_each(|n| self.delete(n)),
            Step::Get(number) => {
                let key = key(self.shape, number);
                assert_eq!(self.bed.get(&key), self.model.get(&key).cloned());
            }
            Step::Scan(a, b, forward, size) => self.scan(a, b, forward, size),
            Step::Crash(index) => self.crash(index),
        }
    }

    fn scan(&mut self, a: u16, b: u16, forward: bool, size: usize) {
        let (a, b) = (key(self.shape, a), key(self.shape, b));
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        let bounds = match size % 4 {
            0 => (Bound::Included(&low), Bound::Included(&high)),
            1 if low < high => (Bound::Excluded(&low), Bound::Excluded(&high)),
            2 => (Bound::Unbounded, Bound::Excluded(&high)),
            _ => (Bound::Included(&low), Bound::Unbounded),
        };
        let mut expected: Pairs =
            self.model.range::<Vec<u8>, _>(bounds).map(|(k, v)| (k.clone(), v.clone())).collect();
        let direction = if forward { Direction::Forward } else { Direction::Backward };
        if !forward {
            expected.reverse();
        }
        let slice = |bound: Bound<&Vec<u8>>| bound.map(|k| k.clone());
        let (lower, upper) = (slice(bounds.0), slice(bounds.1));
        let found = self.bed.scan(
            lower.as_ref().map(Vec::as_slice),
            upper.as_ref().map(Vec::as_slice),
            direction,
            size,
        );
        assert_eq!(found.len(), expected.len());
        assert_eq!(found, expected);
    }

    fn crash(&mut self, index: Index) {
        let cpls: Vec<Lsn> = self.bed.volume.cpls().into_iter().filter(|c| *c >= self.made).collect();
        let cpl = cpls[index.index(cpls.len())];
        let volume = self.bed.volume.crash_at(cpl);
        self.bed = Bed::reopen(volume, 96, self.bed.tree.root_id());
        self.model = model_at(&self.history, cpl);
        self.history.retain(|(lsn, ..)| *lsn <= cpl);
        self.bed.assert_whole();
        assert_eq!(self.bed.all(), self.model, "after a crash at {cpl}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_is_a_map_whatever_happens(
        steps in vec(step(), 1..500),
        shape in prop_oneof![Just(Shape::Fixed), Just(Shape::Prefixed), Just(Shape::Ragged), Just(Shape::Huge)],
        behind in 0usize..40,
    ) {
        let bed = Bed::new(96, Durability::Behind(behind));
        let made = *bed.volume.cpls().last().expect("the tree was made");
        let mut run = Run { bed, shape, model: Model::new(), history: History::new(), made };
        for step in steps {
            run.step(step);
        }
        run.bed.assert_whole();
        prop_assert_eq!(run.bed.all(), run.model);
    }
}
