//! What can be wrong with a regular expression: MySQL's numbers 3685 to 3699, 3887 and 3900.

use crate::error::SqlError;

/// Why a pattern, a replacement or a search is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Argument,
    Bounds,
    /// At this character of the pattern, from 1.
    Syntax(usize),
    Escape,
    Unimplemented,
    Paren,
    Interval,
    MaxBelowMin,
    BackReference,
    LookBehind,
    Bracket,
    Range,
    Stack,
    Timeout,
    TooBig,
    GroupName,
    Flag,
}

impl From<Fault> for SqlError {
    fn from(fault: Fault) -> SqlError {
        let (code, text) = match fault {
            Fault::Argument => (3685, "Illegal argument to a regular expression."),
            Fault::Bounds => (3686, "Index out of bounds in regular expression search."),
            Fault::Syntax(at) => {
                let text = format!("Syntax error in regular expression on line 1, character {at}.");
                return SqlError::new(3688, text);
            }
            Fault::Escape => (3689, "Unrecognized escape sequence in regular expression."),
            Fault::Unimplemented => (
                3690,
                "The regular expression contains a feature that is not implemented in this library version.",
            ),
            Fault::Paren => (3691, "Mismatched parenthesis in regular expression."),
            Fault::Interval => (3692, "Incorrect description of a {min,max} interval."),
            // MySQL's own spelling.
            Fault::MaxBelowMin => (3693, "The maximum is less than the minumum in a {min,max} interval."),
            Fault::BackReference => (3694, "Invalid back-reference in regular expression."),
            Fault::LookBehind => (3695, "The look-behind assertion exceeds the limit in regular expression."),
            Fault::Bracket => (3696, "The regular expression contains an unclosed bracket expression."),
            Fault::Range => {
                (3697, "The regular expression contains an [x-y] character range where x comes after y.")
            }
            Fault::Stack => (3698, "Overflow in the regular expression backtrack stack."),
            Fault::Timeout => (3699, "Timeout exceeded in regular expression match."),
            Fault::TooBig => (3700, "The regular expression pattern exceeds limits on size or complexity."),
            Fault::GroupName => (3887, "A capture group has an invalid name."),
            Fault::Flag => (3900, "Invalid match mode flag in regular expression."),
        };
        SqlError::new(code, text)
    }
}
