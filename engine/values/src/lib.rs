//! SQL values: types, DECIMAL, temporals, collations, memcomparable keys.
