//! The order of documents, by kind first: MySQL's precedence. Numbers compare with numbers whatever their kind.

use super::Json;
use crate::convert::Context;
use crate::convert::number::to_decimal;
use crate::decimal::Decimal;
use std::cmp::Ordering;

/// Kinds from the lowest to the highest.
fn rank(json: &Json) -> u8 {
    match json {
        Json::Null => 0,
        Json::Int(_) | Json::UInt(_) | Json::Double(_) | Json::Decimal(_) => 1,
        Json::String(_) => 2,
        Json::Object(_) => 3,
        Json::Array(_) => 4,
        Json::Bool(_) => 5,
        Json::Date(_) => 6,
        Json::Time(_) => 7,
        Json::DateTime(_) => 8,
        Json::Opaque(_) => 9,
    }
}

/// The order of two documents.
pub fn compare(a: &Json, b: &Json) -> Ordering {
    rank(a).cmp(&rank(b)).then_with(|| match (a, b) {
        (Json::Int(a), Json::Int(b)) => a.cmp(b),
        (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
        (Json::String(a), Json::String(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Json::Date(a), Json::Date(b)) => a.cmp(b),
        (Json::Time(a), Json::Time(b)) => a.cmp(b),
        (Json::DateTime(a), Json::DateTime(b)) => a.cmp(b),
        (Json::Opaque(a), Json::Opaque(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Json::Array(a), Json::Array(b)) => {
            let first = a.iter().zip(b).map(|(x, y)| compare(x, y)).find(|o| o.is_ne());
            first.unwrap_or(a.len().cmp(&b.len()))
        }
        (Json::Object(a), Json::Object(b)) => a.len().cmp(&b.len()).then_with(|| {
            let pairs = a.iter().zip(b.iter());
            let order =
                |((n, v), (m, w)): ((&str, &Json), (&str, &Json))| n.cmp(m).then_with(|| compare(v, w));
            pairs.map(order).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
        }),
        _ => numbers(a, b),
    })
}

fn numbers(a: &Json, b: &Json) -> Ordering {
    let (Some(x), Some(y)) = (a.number(), b.number()) else { return Ordering::Equal };
    if let (Json::Double(x), Json::Double(y)) = (a, b) {
        return x.partial_cmp(y).unwrap_or(Ordering::Equal);
    }
    let exact = |v| to_decimal(v, &Context::DEFAULT, &mut Vec::new()).unwrap_or(Decimal::ZERO);
    exact(&x).cmp(&exact(&y))
}

/// JSON_CONTAINS: an object contains one whose members it contains, an array whatever one of its elements contains.
pub fn contains(whole: &Json, part: &Json) -> bool {
    match (whole, part) {
        (Json::Object(whole), Json::Object(part)) => {
            part.iter().all(|(name, wanted)| whole.get(name).is_some_and(|found| contains(found, wanted)))
        }
        (Json::Array(whole), Json::Array(part)) => {
            part.iter().all(|wanted| whole.iter().any(|found| contains(found, wanted)))
        }
        (Json::Array(whole), part) => whole.iter().any(|found| contains(found, part)),
        (whole, part) => compare(whole, part) == Ordering::Equal,
    }
}
