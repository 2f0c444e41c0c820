//! From a link to an open volume: runs the creator and the recoverer of `quorum` until they end.
//!
//! ```text
//!   Plan::Create ─► Creator ──first head──┐
//!   Plan::Open ───────────────────────────┴─► Recoverer ──Opened──► OpenVolume (every later message goes there)
//!                                               │   ▲ Superseded: a fresh writer id after a random rest
//!                                               └───┘ Refused, Halted, NoVolume: the plan has failed
//! ```
//!
//! Invariants
//! 1. The outcome is told once, from the thread that delivered or ticked, with no lock held.
//! 2. While opening, steps are answers and the passing of time, never turns of the host's loop: the next step of time is due
//!    two milliseconds after the last step, however often it is asked for; and a step that sends nothing does not ring the link, whose bell
//!    may be what wakes the host.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use protocol::contract::{LinkReceiver, SegmentLink};
use protocol::env::Env;
use protocol::head::HeadVersion;
use protocol::message::Envelope;
use protocol::{Head, VolumeEpoch, VolumeId, WriterId};
use quorum::{Actions, Creator, Event, Missing, NewVolume, Outcome, RecoverSettings, Recoverer, Settings};

use crate::log::OpenVolume;

/// While opening, time is let pass so often.
const STEP_US: u64 = 2_000;
/// The longest rest before standing again after being superseded.
const REST_MAX_US: u64 = 100_000;

/// What to do with the segments behind the link.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Make a new volume on six blank nodes, then open it.
    Create(NewVolume),
    /// Open this volume.
    Open(VolumeId),
}

/// Why there is no open volume.
#[derive(Clone, Debug)]
pub enum OpenError {
    /// No segment knows a volume.
    NoVolume,
    /// Too few segments answer or hold what they must.
    Refused(Vec<Missing>),
    /// The segments claim more than all of them can show: opening would lose acknowledged commits (R5).
    Halted(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVolume => f.write_str("the storage nodes hold no volume"),
            Self::Refused(missing) => {
                f.write_str("the volume cannot be opened for writing:")?;
                for (n, lack) in missing.iter().enumerate() {
                    write!(f, "{} {lack:?}", if n == 0 { "" } else { ";" })?;
                }
                Ok(())
            }
            Self::Halted(why) => write!(f, "halted rather than lose data: {why}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// How an opening ended.
pub type Opened = Result<OpenVolume, OpenError>;

enum Stage {
    Creating(Box<Creator>),
    Recovering(Box<Recoverer>),
    /// Superseded; stands again at this time.
    Resting {
        until_us: u64,
    },
    Over,
}

struct Opening {
    stage: Stage,
    volume: VolumeId,
    attempts: u32,
    /// When the next step of time is due.
    due_us: u64,
    /// The head the link was last steered by.
    map: Option<HeadVersion>,
}

/// Runs one plan over one link, then is the open volume's receiver.
pub struct Driver {
    env: Arc<dyn Env>,
    link: Arc<dyn SegmentLink>,
    settings: Settings,
    opened: OnceLock<OpenVolume>,
    opening: Mutex<Opening>,
    steps: AtomicU64,
    on_created: Box<dyn Fn(&Head) + Send + Sync>,
    on_outcome: Box<dyn Fn(Opened) + Send + Sync>,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Driver({})", if self.opened.get().is_some() { "open" } else { "opening" })
    }
}

fn draw(env: &dyn Env) -> u128 {
    u128::from(env.random()) << 64 | u128::from(env.random())
}

fn recoverer(env: &dyn Env, settings: &Settings, volume: VolumeId) -> Box<Recoverer> {
    Box::new(Recoverer::new(RecoverSettings {
        settings: settings.clone(),
        volume: Some(volume),
        writer: WriterId(draw(env)),
        nonce: draw(env),
    }))
}

impl Driver {
    /// A driver that has sent nothing yet; [`tick`](Self::tick) starts it. `on_created` is told the first head of a
    /// new volume, `on_outcome` how the opening ended; both once.
    pub fn new(
        link: Arc<dyn SegmentLink>,
        env: Arc<dyn Env>,
        settings: Settings,
        plan: Plan,
        on_created: impl Fn(&Head) + Send + Sync + 'static,
        on_outcome: impl Fn(Opened) + Send + Sync + 'static,
    ) -> Self {
        let (stage, volume) = match plan {
            Plan::Create(new) => {
                let volume = new.volume;
                (Stage::Creating(Box::new(Creator::new(new))), volume)
            }
            Plan::Open(volume) => (Stage::Recovering(recoverer(&*env, &settings, volume)), volume),
        };
        Self {
            env,
            link,
            settings,
            opened: OnceLock::new(),
            opening: Mutex::new(Opening { stage, volume, attempts: 0, due_us: 0, map: None }),
            steps: AtomicU64::new(0),
            on_created: Box::new(on_created),
            on_outcome: Box::new(on_outcome),
        }
    }

    /// The open volume, once there is one.
    #[must_use]
    pub fn volume(&self) -> Option<&OpenVolume> {
        self.opened.get()
    }

    /// What the opening still waits for, for the message of a time limit.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        match &self.opening.lock().stage {
            Stage::Recovering(recoverer) => recoverer.missing(),
            Stage::Creating(_) | Stage::Resting { .. } | Stage::Over => Vec::new(),
        }
    }

    /// Steps the opening has taken: answers, and the passing of time.
    #[must_use]
    pub fn opening_steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Lets time pass.
    pub fn tick(&self) {
        match self.opened.get() {
            Some(volume) => volume.tick(),
            None => self.step(Event::Tick),
        }
    }

    /// When [`tick`](Self::tick) is due at the latest.
    #[must_use]
    pub fn next_wake_us(&self) -> u64 {
        match self.opened.get() {
            Some(volume) => volume.next_wake_us(),
            None => self.opening.lock().due_us,
        }
    }

    fn step(&self, event: Event) {
        let now = self.env.now_us();
        let mut actions = Actions::default();
        let mut created = None;
        let mut outcome = None;
        self.steps.fetch_add(1, Ordering::Relaxed);
        let mut guard = self.opening.lock();
        let opening = &mut *guard;
        opening.due_us = now + STEP_US;
        match &mut opening.stage {
            Stage::Creating(creator) => created = creator.step(now, event, &mut actions),
            Stage::Recovering(recoverer) => {
                outcome = recoverer.step(now, event, &mut actions);
                if let Some(head) = recoverer.head().filter(|head| opening.map != Some(head.version)) {
                    opening.map = Some(head.version);
                    self.link.steer(head);
                }
            }
            Stage::Resting { until_us } if *until_us <= now => {
                let fresh = recoverer(&*self.env, &self.settings, opening.volume);
                opening.stage = Stage::Recovering(fresh);
            }
            Stage::Resting { .. } | Stage::Over => {}
        }
        if created.is_some() {
            opening.stage = Stage::Recovering(recoverer(&*self.env, &self.settings, opening.volume));
        }
        let ended = outcome.and_then(|outcome| self.settle(opening, outcome));
        drop(guard);
        let sent = !actions.sends.is_empty();
        for envelope in actions.sends {
            // What the window does not take is asked again by the next tick.
            let _ = self.link.send(envelope);
        }
        if sent {
            self.link.flush();
        }
        if let Some(head) = created {
            (self.on_created)(&head);
        }
        if let Some(opened) = ended {
            (self.on_outcome)(opened);
        }
    }

    fn settle(&self, opening: &mut Opening, outcome: Outcome) -> Option<Opened> {
        let error = match outcome {
            Outcome::Opened(log) => {
                opening.stage = Stage::Over;
                let volume = OpenVolume::new(*log, Arc::clone(&self.link), Arc::clone(&self.env));
                let fresh = self.opened.set(volume.clone()).is_ok();
                assert!(fresh, "a volume was opened twice by one driver");
                return Some(Ok(volume));
            }
            Outcome::Superseded { epoch } => {
                self.rest(opening, epoch);
                return None;
            }
            Outcome::NoVolume => OpenError::NoVolume,
            Outcome::Refused { missing } => OpenError::Refused(missing),
            halted @ Outcome::Halted { .. } => OpenError::Halted(format!("{halted:?}")),
        };
        opening.stage = Stage::Over;
        Some(Err(error))
    }

    /// R7: after a refusal a random rest, longer with every attempt.
    fn rest(&self, opening: &mut Opening, epoch: VolumeEpoch) {
        opening.attempts += 1;
        let span = (STEP_US << opening.attempts.min(10)).min(REST_MAX_US);
        let rest = 1 + self.env.random() % span;
        tracing::info!(%epoch, rest_us = rest, "superseded while opening; standing again");
        opening.stage = Stage::Resting { until_us: self.env.now_us() + rest };
    }
}

impl LinkReceiver for Driver {
    fn deliver(&self, envelope: Envelope) {
        match self.opened.get() {
            Some(volume) => volume.deliver(envelope),
            None => self.step(Event::Message(envelope)),
        }
    }
}
