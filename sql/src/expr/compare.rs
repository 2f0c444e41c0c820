//! Which rule two expressions compare by, and the comparison itself.

use super::Ty;
use super::eval::Eval;
use super::ty::derivation;
use crate::error::{Result, SqlError};
use std::cmp::Ordering;
use values::collation::CharSet;
pub(crate) use values::compare::Rule;
use values::{Collation, TypeKind, Value};

/// The collation that decides between two texts: the one of the stronger (lower) derivation. 1267 when two explicit ones differ.
pub(crate) fn collation_of(a: &Ty, b: &Ty) -> Result<Collation> {
    collation_for(a, b, "=")
}

/// The same for another operation, which 1267 names.
pub(crate) fn collation_for(a: &Ty, b: &Ty, operation: &str) -> Result<Collation> {
    let (ac, bc) = (a.collation(), b.collation());
    if let Some(wider) = wider(a, b) {
        return Ok(wider);
    }
    let undecided = !ac.is_bin() && !bc.is_bin() && ac != Collation::BINARY && bc != Collation::BINARY;
    if a.is_text()
        && b.is_text()
        && a.derivation == b.derivation
        && ac != bc
        && (a.derivation == derivation::EXPLICIT || undecided)
    {
        let word = derivation::name(a.derivation);
        let text = format!(
            "Illegal mix of collations ({},{word}) and ({},{word}) for operation '{operation}'",
            ac.name(),
            bc.name()
        );
        return Err(SqlError::new(1267, text));
    }
    Ok(match a.derivation.cmp(&b.derivation) {
        Ordering::Less if a.is_text() => a.collation(),
        Ordering::Greater if b.is_text() => b.collation(),
        _ => values::compare::collation_of(&a.col, &b.col),
    })
}

/// Of two texts in different character sets: the collation of the one that the other becomes, where that decides. A set of Unicode wins over
/// the others, and the set that has more characters over the other, unless the other side outranks it (as MySQL: a column a literal).
pub(crate) fn wider(a: &Ty, b: &Ty) -> Option<Collation> {
    let (ac, bc) = (a.collation(), b.collation());
    let (set, other) = (ac.char_set(), bc.char_set());
    let binary = ac == Collation::BINARY || bc == Collation::BINARY;
    if !a.is_text() || !b.is_text() || set == other || binary || a.derivation != b.derivation {
        return None;
    }
    let breadth = |set: CharSet| match set {
        CharSet::Ascii => 0,
        CharSet::Latin1 => 1,
        CharSet::Utf8mb3 => 2,
        _ => 3,
    };
    Some(if breadth(set) > breadth(other) { ac } else { bc })
}

/// The rule for comparing `a` with `b`.
pub(crate) fn rule_of(a: &Ty, b: &Ty) -> Result<Rule> {
    if a.null || b.null {
        return Ok(Rule::Int); // never equal, never ordered: no rule matters
    }
    if a.col.kind == TypeKind::Json || b.col.kind == TypeKind::Json {
        return Ok(Rule::Json);
    }
    if a.is_text() && b.is_text() {
        return Ok(Rule::Text(collation_of(a, b)?));
    }
    if (a.hex && !b.is_text() && !b.col.is_temporal()) || (b.hex && !a.is_text() && !a.col.is_temporal()) {
        return Ok(Rule::Double);
    }
    Ok(Rule::of(&a.col, &b.col))
}

/// The order of two values; `None` when either is NULL (or no value of the rule's sort).
pub(crate) fn compare(rule: Rule, a: &Value, b: &Value, e: &mut Eval<'_>) -> Result<Option<Ordering>> {
    if let (Value::Int(a), Value::Int(b)) = (a, b) {
        return Ok(Some(a.cmp(b)));
    }
    e.with(|cx, warnings| values::compare::compare(rule, a, b, cx, warnings))
}

/// LIKE.
pub(crate) fn like(text: &[u8], pattern: &[u8], escape: Option<char>, collation: Collation) -> bool {
    values::like::Pattern::new(pattern, escape, collation).matches(text)
}
