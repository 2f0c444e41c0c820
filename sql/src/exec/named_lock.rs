//! GET_LOCK and its kin: locks on names, which belong to the session and outlive its statements.
//!
//! They are computed before the expression that holds them, as subqueries are: GET_LOCK waits, and the others must see what the calls to
//! their left did. Names are compared without case, as MySQL's are.

use super::Run;
use crate::error::{Result, SqlError};
use crate::expr::{Columns, Eval, Ty, Typed};
use values::Value;

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LockCall {
    Get,
    Release,
    ReleaseAll,
    IsFree,
    UsedBy,
}

/// MySQL's longest wait, in seconds: a year. Also of negative timeouts.
const LONGEST_S: u64 = 365 * 24 * 3600;
/// Characters of a name.
const NAME_CHARS: usize = 64;

impl LockCall {
    /// The function of this name, and how many arguments it takes.
    pub(crate) fn named(name: &str) -> Option<(LockCall, usize)> {
        let all = [
            ("get_lock", LockCall::Get, 2),
            ("release_lock", LockCall::Release, 1),
            ("release_all_locks", LockCall::ReleaseAll, 0),
            ("is_free_lock", LockCall::IsFree, 1),
            ("is_used_lock", LockCall::UsedBy, 1),
        ];
        all.into_iter().find(|(known, ..)| known.eq_ignore_ascii_case(name)).map(|(_, call, n)| (call, n))
    }

    /// Its result's type.
    pub(crate) fn ty(self) -> Ty {
        match self {
            LockCall::ReleaseAll => Ty::uint(21).not_null(),
            LockCall::UsedBy => Ty::uint(21),
            _ => Ty::int(1),
        }
    }
}

/// Calls one of them.
pub(crate) async fn call(
    call: LockCall,
    args: &[Typed],
    row: &dyn Columns,
    groups: &[Value],
    run: &mut Run<'_>,
) -> Result<Value> {
    let (name, timeout_us) = {
        let mut e = Eval { groups, ..Eval::over(row, &run.params, run.context) };
        let name = match args.first() {
            Some(name) => lock_name(name, &mut e)?,
            None => Vec::new(),
        };
        let timeout_us = match args.get(1) {
            Some(seconds) => timeout(seconds.integer(&mut e)?),
            None => 0,
        };
        (name, timeout_us)
    };
    let (engine, kill) = (run.engine, run.kill);
    let session = u32::try_from(run.context.connection_id).unwrap_or(u32::MAX);
    let locks = run.context.locks.get_or_insert_with(|| engine.named_locks(session));
    Ok(match call {
        LockCall::Get => match locks.get(&name, timeout_us, kill).await {
            Ok(got) => Value::Int(i64::from(got)),
            Err(error) => return Err(error.into()),
        },
        LockCall::Release => locks.release(&name).map_or(Value::Null, |mine| Value::Int(i64::from(mine))),
        LockCall::ReleaseAll => Value::UInt(locks.release_all()),
        LockCall::IsFree => Value::Int(i64::from(locks.used_by(&name).is_none())),
        LockCall::UsedBy => locks.used_by(&name).map_or(Value::Null, |id| Value::UInt(u64::from(id))),
    })
}

fn timeout(seconds: Option<i128>) -> u64 {
    let seconds = u64::try_from(seconds.unwrap_or(0)).unwrap_or(LONGEST_S);
    seconds.min(LONGEST_S) * 1_000_000
}

/// 3057 for no name, 4163 for one that is too long.
fn lock_name(name: &Typed, e: &mut Eval<'_>) -> Result<Vec<u8>> {
    let text = name.text(e)?;
    let given = text.as_ref().map_or("NULL", |text| text.as_str());
    if text.is_none() || given.is_empty() {
        let text = format!(
            "Incorrect user-level lock name '{given}'. The name is empty, NULL, or can not be expressed in the current character-set."
        );
        return Err(SqlError::new(3057, text));
    }
    if given.chars().count() > NAME_CHARS {
        let text = format!("User-level lock name '{given}' should not exceed {NAME_CHARS} characters.");
        return Err(SqlError::new(4163, text));
    }
    Ok(given.to_lowercase().into_bytes())
}
