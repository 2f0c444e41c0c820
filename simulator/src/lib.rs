//! The director: a whole cluster in one thread, from one seed.
//!
//! It runs the real cores - writer log, recoverer, storage node - over simulated links and disks in virtual time, strikes them
//! with every fault the design promises to survive, and lets checkers that share no code with the cores look at everything that
//! leaves them. No adapter to real disks or sockets is trusted before its core has run here.
//!
//! | module | one idea |
//! |---|---|
//! | [`plan`] | what one seed draws: sizes, rates, classes of faults |
//! | [`Director`] | the heap of events, and who is called next |
//! | `net`, [`disk`], `clock`, `host`, `compute`, `pool`, `statement` | links, disks, clocks, machines, processes, their buffer pools, what clients ask |
//! | `sessions`, `bank`, `volume` | a real engine in a process, its clients, and what they were told |
//! | `faults`, `rivals`, `drill` | when faults strike, healing, the last audit; scripted disasters |
//! | `beyond` | faults beyond the promise: it may halt, and may not lie |
//! | [`oracle`], `check`, `check_heads`, `check_lease` | the one history, and what must be true of it |
//! | `crash_points` | engine and trees: a crash at every CPL of a recorded trace |
//! | [`run`], [`shrink`], [`regressions`] | a seed as a test: panics are failures; fewer faults, same failure; seeds that once failed |
//! | [`cli`] | the command line: `director`, `sextant simulate` |
//!
//! The same plan gives the same run, byte for byte: nothing here reads a clock, draws from elsewhere, or walks an unordered map.

mod bank;
mod beyond;
mod check;
mod check_heads;
mod check_lease;
pub mod cli;
mod clock;
mod compute;
#[cfg(feature = "crash-points")]
pub mod crash_points;
mod director;
pub mod disk;
mod drill;
mod faults;
mod host;
mod net;
pub mod oracle;
pub mod plan;
mod pool;
mod rivals;
mod rng;
mod run;
mod sessions;
mod statement;
mod trace;
mod volume;

pub use beyond::Beyond;
pub use director::{Director, Report};
pub use plan::{Class, Drill, Mode, Plan};
pub use rng::Rng;
pub use run::{regressions, run, run_elsewhere, shrink};

use protocol::mutant::Mutant;

/// The one mode in which a planted bug can show, if there is only one.
#[must_use]
pub fn caught_in(planted: Mutant) -> Option<Mode> {
    let engine =
        [Mutant::OkBeforeVdl, Mutant::AbortedVisible, Mutant::SplitKeepsHighKey, Mutant::SecondaryForgotten];
    engine.contains(&planted).then_some(Mode::Engine)
}

/// Planted bugs the director must catch; the others are caught where their crates are tested.
pub const CAUGHT_HERE: &[Mutant] = &[
    Mutant::NoEpochCheck,
    Mutant::SharedEpoch,
    Mutant::VdlIsVcl,
    Mutant::GossipIgnoresTruncation,
    Mutant::RecoveryReadsTwo,
    Mutant::ServeBeforeRepair,
    Mutant::SclIsMax,
    Mutant::CeilingFromVdl,
    Mutant::RotAsAbsent,
    Mutant::AckAt3,
    Mutant::AckBeforeSync,
    Mutant::TornTailAccepted,
    Mutant::TornTailHalts,
    Mutant::LsnReuse,
    Mutant::CoalesceAboveVdl,
    Mutant::EmptyFolderVotes,
    Mutant::IdlePgUnreadable,
    Mutant::EvictAboveVdl,
    Mutant::MajorityList,
    Mutant::StragglerIgnoresList,
    Mutant::HeadNotAwaited,
    Mutant::GrowthBeforeHead,
    Mutant::DropAboveFloor,
    Mutant::GrantNotSynced,
    Mutant::CreateAnyFolder,
    Mutant::OtherPgNotFenced,
    Mutant::AckAfterGrant,
    Mutant::HeadAt2,
    Mutant::TwoReplaced,
    Mutant::NewcomerCounts,
    Mutant::DropAtOneFull,
    Mutant::GrantsAt3,
    Mutant::EpochToAnyId,
    Mutant::HostIdAsWriter,
    Mutant::NoBackoff,
    Mutant::NoLease,
    Mutant::LeaseAt2,
    Mutant::LeaseFromReply,
    Mutant::LeaseIsT,
    Mutant::LeaseOneRho,
    Mutant::RestartGrants,
    Mutant::RestartHalf,
    Mutant::PromiseDuringGrant,
    Mutant::PromiseToStale,
    Mutant::LeaseFlag,
    Mutant::SharedView,
    Mutant::LeaseInstant,
    Mutant::EarlyRelease,
    Mutant::HeadFromCache,
    Mutant::MembershipIgnored,
    Mutant::OkBeforeVdl,
    Mutant::AbortedVisible,
    Mutant::SplitKeepsHighKey,
    Mutant::SecondaryForgotten,
];
