//! Host patterns: which account a client's address means.
//!
//! A pattern is a name or address with LIKE's wildcards, or an IPv4 network (`10.1.0.0/255.255.0.0`, `10.1.0.0/16`). Source: MySQL manual, "Specifying Account
//! Names" and "Access Control, Stage 1: Connection Verification".

use std::net::Ipv4Addr;

/// The names a client is known by: a loopback client is `localhost` and its address, as with MySQL's name resolution.
pub(crate) fn names_of_client(host: &str) -> Vec<&str> {
    if host.eq_ignore_ascii_case("localhost") { vec!["localhost", "127.0.0.1", "::1"] } else { vec![host] }
}

/// The place of the account that matches best: by host, then by user.
pub(crate) fn best_match<'a>(
    accounts: impl Iterator<Item = (&'a str, &'a str)>,
    user: &str,
    names: &[&str],
) -> Option<usize> {
    accounts
        .enumerate()
        .filter(|(_, (account, pattern))| {
            (*account == user || account.is_empty()) && names.iter().any(|name| matches(pattern, name))
        })
        .max_by_key(|(_, (account, pattern))| (specificity(pattern), !account.is_empty()))
        .map(|(at, _)| at)
}

/// Exact names before networks before patterns with wildcards (the later the first wildcard, the better); `%` and empty come last.
fn specificity(pattern: &str) -> (u8, usize) {
    if pattern.contains('/') {
        return (2, prefix_of(pattern).map_or(0, |(_, bits)| bits as usize));
    }
    match pattern.find(['%', '_']) {
        None if pattern.is_empty() => (0, 0),
        None => (3, 0),
        Some(at) => (1, at),
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    if let Some((network, bits)) = prefix_of(pattern) {
        let mask = if bits == 0 { 0 } else { u32::MAX << (32 - bits) };
        return name.parse::<Ipv4Addr>().is_ok_and(|ip| u32::from(ip) & mask == network & mask);
    }
    pattern.is_empty() || like(pattern.as_bytes(), name.as_bytes())
}

/// `10.1.0.0/16` or `10.1.0.0/255.255.0.0` as network and prefix length.
fn prefix_of(pattern: &str) -> Option<(u32, u32)> {
    let (network, mask) = pattern.split_once('/')?;
    let network = u32::from(network.parse::<Ipv4Addr>().ok()?);
    let bits = match mask.parse::<u32>() {
        Ok(bits) if bits <= 32 => bits,
        Ok(_) => return None,
        Err(_) => {
            let mask = u32::from(mask.parse::<Ipv4Addr>().ok()?);
            (mask.leading_ones() + mask.trailing_zeros() == 32).then_some(mask.leading_ones())?
        }
    };
    Some((network, bits))
}

/// LIKE over ASCII without case, for names of at most 255 bytes; `%` restarts at the last one seen, so the work is bounded.
fn like(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut last: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'%') => {
                last = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'_' || c.eq_ignore_ascii_case(&name[n]) => {
                p += 1;
                n += 1;
            }
            _ => match last {
                Some((at, from)) => {
                    (p, n) = (at + 1, from + 1);
                    last = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'%')
}
