//! A version that one copy has forgotten may be had from another.

use std::sync::Arc;
use std::task::Poll;

use protocol::contract::{PageReader, ReadError};
use protocol::{PageId, page};

use super::world::{Count, Mood, World, poll};
use crate::read::{FORGOTTEN_US, HEDGE_MAX_US};
use protocol::Lsn;

const PAGE: PageId = PageId(7);

/// A page written once, and the LSN to read it at.
fn written() -> (World, Lsn) {
    let mut world = World::new(10_000_000);
    let lsn = world.write(PAGE, Lsn::ZERO, 42, true);
    world.run();
    (world, lsn)
}

/// Regression: a newcomer, or a copy whose page a peer had healed, ended the read of a long snapshot that others could serve.
#[test]
fn a_copy_that_forgot_is_passed_over() {
    let (mut world, lsn) = written();
    let (volume, count) = (world.volume.clone(), Arc::new(Count::default()));
    // Which of the three full ones is asked first does not matter: only one of them remembers.
    for remembers in [0, 2, 4] {
        world.moods = [Mood::Forgot; 6];
        world.moods[remembers] = Mood::Fine;
        world.reads.clear();
        let mut read = volume.read(PAGE, lsn);
        assert!(poll(&mut read, &count).is_pending());
        world.run();
        let Poll::Ready(Ok(image)) = poll(&mut read, &count) else { panic!("{remembers} remembers") };
        assert_eq!(page::lsn(image.bytes()), lsn);
        assert!(world.reads.len() <= 3, "nobody is asked twice: {:?}", world.reads);
    }
}

#[test]
fn what_all_have_forgotten_is_an_error_at_once() {
    let (mut world, lsn) = written();
    let (volume, count) = (world.volume.clone(), Arc::new(Count::default()));
    world.moods = [Mood::Forgot; 6];
    let mut read = volume.read(PAGE, lsn);
    assert!(poll(&mut read, &count).is_pending());
    world.run();
    let Poll::Ready(answer) = poll(&mut read, &count) else { panic!("three have said it") };
    assert_eq!(answer.map(drop), Err(ReadError::Forgotten { page: PAGE, at: lsn }));
    assert_eq!(world.reads.len(), 3);
}

#[test]
fn a_copy_that_says_nothing_is_not_waited_for_for_ever() {
    for third in [Mood::Silent, Mood::RefusesReads] {
        let (mut world, lsn) = written();
        let (volume, count) = (world.volume.clone(), Arc::new(Count::default()));
        world.moods = [Mood::Forgot, Mood::Fine, Mood::Forgot, Mood::Fine, third, Mood::Fine];
        let mut read = volume.read(PAGE, lsn);
        let mut waited = 0;
        while poll(&mut read, &count).is_pending() {
            assert!(waited <= FORGOTTEN_US + 2 * HEDGE_MAX_US, "two have forgotten it, the third cannot say");
            world.run();
            world.env.pass(100_000);
            waited += 100_000;
            volume.tick();
        }
        assert!(waited >= FORGOTTEN_US, "the third was given its time: {waited}");
    }
}
