//! Which version of a row a view sees.

use crate::engine::Engine;
use crate::error::Result;
use crate::format::{TxId, row};
use crate::txn::registry::Sight;
use crate::undo::read::{self, Below};
use protocol::lsn::Lsn;

/// Whose eyes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Eyes {
    /// The reader's own transaction, `TxId::NONE` when it has not written.
    pub(crate) me: TxId,
    pub(crate) view: Lsn,
}

/// What a look at the newest version came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    /// This is the version.
    Here,
    /// Deleted, as far as this view is concerned.
    Gone,
    /// An older version decides.
    Below,
}

/// Looks at one version.
pub(crate) fn look(engine: &Engine, eyes: Eyes, version: &[u8]) -> Result<Look> {
    let header = row::header(version)?;
    let own = header.txid == eyes.me && eyes.me != TxId::NONE;
    Ok(if !own && engine.registry.sight(header.txid, eyes.view) == Sight::Hidden {
        Look::Below
    } else if header.deleted {
        Look::Gone
    } else {
        Look::Here
    })
}

/// Where a walk down the versions ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Walk {
    /// The buffer holds the version.
    Found,
    /// The view sees no row.
    Nothing,
    /// A transaction on the way was rolled back meanwhile: read the row again.
    Again,
}

/// Walks down from a hidden version, rebuilding older ones in `version`.
pub(crate) async fn walk(engine: &Engine, eyes: Eyes, version: &mut Vec<u8>) -> Result<Walk> {
    loop {
        match look(engine, eyes, version)? {
            Look::Here => return Ok(Walk::Found),
            Look::Gone => return Ok(Walk::Nothing),
            Look::Below => {}
        }
        match read::step_down(engine, version).await? {
            Below::Version => {}
            Below::Nothing => return Ok(Walk::Nothing),
            Below::Gone => return Ok(Walk::Again),
        }
    }
}
