//! Planted bugs that prove the checkers see.
//!
//! `mutant!(Name)` is the constant `false` without the feature `mutants`; with it, one build holds them
//! all and the director switches one on per run. Each mutant names what must catch it in docs/testing.md.

/// Every planted bug. The comment says what is wrong and what catches it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Mutant {
    /// Segments accept appends of any epoch.
    NoEpochCheck = 1,
    /// A recoverer reuses the epoch of its predecessor.
    SharedEpoch,
    /// VDL moves to VCL although that is no CPL.
    VdlIsVcl,
    /// Gossip passes dead records on and accepts them.
    GossipIgnoresTruncation,
    /// Opening reads two of six.
    RecoveryReadsTwo,
    /// Opens before four of six hold everything up to VDL.
    ServeBeforeRepair,
    /// SCL is the highest LSN held, gaps or not.
    SclIsMax,
    /// The ceiling starts from VDL alone (R1).
    CeilingFromVdl,
    /// Rot counts as absent in a three-of-six recovery.
    RotAsAbsent,
    /// The writer counts three copies as a quorum.
    AckAt3,
    /// A segment acknowledges before its log write is durable.
    AckBeforeSync,
    /// A torn tail is taken as valid log.
    TornTailAccepted,
    /// A torn tail refuses to open.
    TornTailHalts,
    /// A new epoch continues right after VDL.
    LsnReuse,
    /// Pages are stored from records above the VDL told.
    CoalesceAboveVdl,
    /// A folder without its incarnation votes with SCL zero.
    EmptyFolderVotes,
    /// Reads of an idle protection group wait for the volume's VDL instead of its own read point.
    IdlePgUnreadable,
    /// The pool evicts a page whose LSN is above VDL.
    EvictAboveVdl,
    /// The list of the majority of replies is adopted instead of the newest.
    MajorityList,
    /// A segment that missed an opening does not adopt the list that comes with an append.
    StragglerIgnoresList,
    /// The head is not awaited at four of six before the opening is declared.
    HeadNotAwaited,
    /// The first record of a new protection group leaves before the head that lists it (R10).
    GrowthBeforeHead,
    /// Log is dropped above the floor of the full members (R11).
    DropAboveFloor,
    /// A grant is answered before it is synced.
    GrantNotSynced,
    /// A commit is answered at its LSN instead of at VDL.
    OkBeforeVdl,
    /// Rows of an aborted transaction are visible.
    AbortedVisible,
    /// A split leaves the high key of the left page as it was.
    SplitKeepsHighKey,
    /// A secondary entry is not written.
    SecondaryForgotten,
    /// A segment begins a life that was meant for another folder.
    CreateAnyFolder,
    /// Three grants elect (R7).
    GrantsAt3,
    /// A granted epoch is granted again to another candidate.
    EpochToAnyId,
    /// Every attempt of one process has the same nonce.
    HostIdAsWriter,
    /// Groups other than 0 are not fenced before they are read (R6).
    OtherPgNotFenced,
    /// An append of the old epoch is acknowledged while the grant's sync runs, and the answer to the fence shows the log before it.
    AckAfterGrant,
    /// A candidate stands at once, without votes before and without a wait after a refusal.
    NoBackoff,
    /// Statements are answered without a lease (R8).
    NoLease,
    /// Two live promises are a lease.
    LeaseAt2,
    /// A promise lives from its receipt instead of from the transmission it answers.
    LeaseFromReply,
    /// A promise lives T at the writer.
    LeaseIsT,
    /// A promise lives T (1 - rho) at the writer.
    LeaseOneRho,
    /// A restarted segment grants at once.
    RestartGrants,
    /// A restarted segment is silent for half of T.
    RestartHalf,
    /// A promise is given while the sync of another's grant runs.
    PromiseDuringGrant,
    /// A writer of an older epoch is promised something.
    PromiseToStale,
    /// Whether it is leased is looked up in a flag that a timer keeps.
    LeaseFlag,
    /// A statement is answered from a view that an earlier statement was checked for.
    SharedView,
    /// The writer's clock stands still while its machine sleeps.
    LeaseInstant,
    /// A writer that hands over releases before it has stopped answering.
    EarlyRelease,
    /// An opening awaits its head at two of six.
    HeadAt2,
    /// An opening adopts the head its process remembers.
    HeadFromCache,
    /// A candidate's membership may be older than the segment's (R12).
    MembershipIgnored,
    /// Two members of a group are replaced at once.
    TwoReplaced,
    /// A newcomer counts before it has everything.
    NewcomerCounts,
    /// Log is dropped when one full member holds the pages.
    DropAtOneFull,
}

impl Mutant {
    /// Every planted bug, in the order of the enum.
    pub const ALL: &'static [Mutant] = &[
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
        Mutant::OkBeforeVdl,
        Mutant::AbortedVisible,
        Mutant::SplitKeepsHighKey,
        Mutant::SecondaryForgotten,
        Mutant::CreateAnyFolder,
        Mutant::GrantsAt3,
        Mutant::EpochToAnyId,
        Mutant::HostIdAsWriter,
        Mutant::OtherPgNotFenced,
        Mutant::AckAfterGrant,
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
        Mutant::HeadAt2,
        Mutant::HeadFromCache,
        Mutant::MembershipIgnored,
        Mutant::TwoReplaced,
        Mutant::NewcomerCounts,
        Mutant::DropAtOneFull,
    ];

    /// The mutant of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Mutant> {
        Mutant::ALL.iter().copied().find(|m| format!("{m:?}") == name)
    }
}

#[cfg(feature = "mutants")]
mod active {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicU8, Ordering};

    thread_local! {
        // One simulated cluster runs on one thread, so runs side by side do not share a bug.
        static ACTIVE: Cell<u8> = const { Cell::new(0) };
    }
    // A real process under sabotage has one bug on all its threads.
    static PROCESS: AtomicU8 = AtomicU8::new(0);

    /// Switches one mutant on for this thread, or all off.
    pub fn set(mutant: Option<super::Mutant>) {
        ACTIVE.set(mutant.map_or(0, |m| m as u8));
    }

    /// Switches one mutant on for all threads of this process, for good.
    pub fn set_for_process(mutant: super::Mutant) {
        PROCESS.store(mutant as u8, Ordering::SeqCst);
    }

    /// True when `mutant` is the one switched on.
    #[must_use]
    pub fn is(mutant: super::Mutant) -> bool {
        ACTIVE.get() == mutant as u8 || PROCESS.load(Ordering::Relaxed) == mutant as u8
    }
}

#[cfg(feature = "mutants")]
pub use active::{is, set, set_for_process};

/// Without the feature there is no mutant; the compiler removes the branch.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
#[must_use]
pub const fn is(_mutant: Mutant) -> bool {
    false
}

/// `mutant!(AckAt3)` is true only in a build with planted bugs, when that one is switched on.
#[macro_export]
macro_rules! mutant {
    ($name:ident) => {
        $crate::mutant::is($crate::mutant::Mutant::$name)
    };
}
