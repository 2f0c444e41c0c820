//! The picture on a screen: the first line says how the volume does and what to do, the rest why.

use super::judge::State;
use super::{Group, Node, Picture};
use std::fmt::Write as _;

/// Groups that are not whole are listed up to here.
const LISTED: usize = 8;

/// At most about twenty lines, however large the volume.
#[must_use]
pub fn text(picture: &Picture) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    if picture.volume.is_empty() {
        let _ = writeln!(out, "NO VOLUME   {}", picture.verdict);
    } else {
        let state = picture.state.word().to_uppercase();
        let _ = writeln!(out, "{state:<11} {}\n", picture.verdict);
        let _ =
            writeln!(out, "  volume    {}, head ({}, {})", picture.volume, picture.head.0, picture.head.1);
        let _ = writeln!(out, "  writer    {}", writer(picture));
        let _ = writeln!(out, "  log       {}", log(picture));
    }
    for az in 1..=3 {
        let nodes: Vec<String> = picture.nodes.iter().filter(|node| node.az == az).map(node_text).collect();
        let text = if nodes.is_empty() { "no node known".to_string() } else { nodes.join("   ") };
        let _ = writeln!(out, "  az{az}       {text}");
    }
    if picture.volume.is_empty() {
        return out;
    }
    let _ = writeln!(out, "  groups    {}", groups(picture));
    let bad: Vec<&Group> = picture.groups.iter().filter(|group| group.state != State::Whole).collect();
    for group in bad.iter().take(LISTED) {
        let _ = writeln!(out, "            {}", group_text(group));
    }
    if bad.len() > LISTED {
        let _ = writeln!(out, "            and {} more", bad.len() - LISTED);
    }
    let _ = writeln!(out, "  waiting   {}", waiting(picture));
    let _ = writeln!(out, "  repairs   {}", repairs(picture));
    let _ = writeln!(out, "  devices   {}", devices(picture));
    out
}

fn writer(picture: &Picture) -> String {
    let Some(writer) = &picture.writer else {
        return "none: no compute node has the volume open".to_string();
    };
    let lease = match picture.log.as_ref().and_then(|log| log.lease_left_ms.map(|left| (left, log.lease_ms)))
    {
        Some((0, _)) => ", NO LEASE: statements wait".to_string(),
        Some((left, whole)) => format!(", lease {left} of {whole} ms"),
        None => String::new(),
    };
    format!("{}, epoch {}{lease}", writer.name, writer.epoch)
}

fn log(picture: &Picture) -> String {
    let Some(log) = &picture.log else { return format!("VDL {}", picture.vdl) };
    let ahead = if log.last_lsn > picture.vdl && log.stalled_ms > 0 { log.last_lsn - picture.vdl } else { 0 };
    format!(
        "VDL {}, {} ahead of it; room for {} of {} more",
        picture.vdl,
        size(ahead),
        size(log.headroom_bytes),
        size(log.lal_bytes)
    )
}

fn node_text(node: &Node) -> String {
    let pid = node.pid.map_or(String::new(), |pid| format!(" (pid {pid})"));
    let state = if node.state == "serving" && node.disk_nearly_full { "DISK FULL" } else { &node.state };
    let state = if state == "serving" { state.to_string() } else { state.to_uppercase() };
    format!("{} {state}{pid}", node.place)
}

fn groups(picture: &Picture) -> String {
    let count = picture.groups.len();
    let whole = picture.groups.iter().filter(|group| group.state == State::Whole).count();
    let worst = picture
        .groups
        .iter()
        .filter_map(|g| Some((g, g.worst()?)))
        .max_by_key(|(_, c)| (c.health, c.lag_bytes));
    let behind = match worst {
        Some((group, copy)) if copy.lag_bytes > 0 && whole == count => {
            format!(
                "; furthest behind: {} in az{}, {} of group {}",
                copy.place,
                copy.az,
                size(copy.lag_bytes),
                group.pg
            )
        }
        _ => String::new(),
    };
    match (count, whole) {
        (1, 1) => format!("1, whole{behind}"),
        (n, w) if n == w => format!("{n}, all whole{behind}"),
        (n, w) => format!("{n}, {w} whole{behind}"),
    }
}

fn group_text(group: &Group) -> String {
    let worst = group.worst().map_or(String::new(), |copy| {
        let place = if copy.place.is_empty() { "?" } else { &copy.place };
        format!(": position {} ({place} in az{}) is {}", copy.position, copy.az, copy.health)
    });
    format!("group {} {}, {} of 6 copies{worst}", group.pg, group.state, group.able)
}

fn waiting(picture: &Picture) -> String {
    match &picture.log {
        None => "not known: ask the compute node (--server)".to_string(),
        Some(log) if log.waiting > 0 => {
            format!("{} for room in the log; VDL has not moved for {} ms", log.waiting, log.stalled_ms)
        }
        Some(log) if log.stalled_ms >= 1000 => {
            format!("commits, for VDL: it has not moved for {} ms", log.stalled_ms)
        }
        Some(_) => "nobody".to_string(),
    }
}

fn repairs(picture: &Picture) -> String {
    let mut all: Vec<String> = picture
        .repairs()
        .map(|(group, copy)| {
            let far =
                if copy.lag_bytes > 0 { format!(", {} to go", size(copy.lag_bytes)) } else { String::new() };
            format!("group {} position {} {}{far}", group.pg, copy.position, copy.health)
        })
        .collect();
    let count = all.len();
    all.truncate(LISTED);
    match count {
        0 => "none".to_string(),
        n if n > LISTED => format!("{n}: {}, ...", all.join("; ")),
        n => format!("{n}: {}", all.join("; ")),
    }
}

fn devices(picture: &Picture) -> String {
    let bad = |node: &Node| {
        let what = if node.state == "failed" { "failed" } else { "nearly full: it takes no log" };
        let why = if node.problem.is_empty() { String::new() } else { format!(" ({})", node.problem) };
        format!("{} {what}{why}", node.place)
    };
    let bad: Vec<String> = picture.bad_devices().map(bad).collect();
    let rot: u64 = picture.nodes.iter().map(|node| node.rot).sum();
    let healed: u64 = picture.nodes.iter().map(|node| node.healed).sum();
    let rot = if rot > 0 { format!("; {rot} bad blocks found, {healed} healed") } else { String::new() };
    if bad.is_empty() { format!("none failed{rot}") } else { format!("{}{rot}", bad.join("; ")) }
}

/// Bytes for a person.
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
        _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Log;

    #[test]
    fn the_first_line_says_it_all() {
        let node = |n: u8| Node {
            az: n / 2 + 1,
            position: Some(n),
            place: format!("h{n}:1"),
            state: if n == 3 { "silent" } else { "serving" }.to_string(),
            ..Node::default()
        };
        let picture = Picture {
            source: "writer".to_string(),
            state: State::Degraded,
            verdict: "writes and reads go on; h3:1 in az2 is silent".to_string(),
            volume: "abc".to_string(),
            writer: None,
            head: (3, 1),
            pages_per_pg: 64,
            vdl: 100,
            vcl: 100,
            log: Some(Log { last_lsn: 100, headroom_bytes: 5 << 20, lal_bytes: 10 << 20, ..Log::default() }),
            nodes: (0..6).map(node).collect(),
            groups: Vec::new(),
        };
        let text = text(&picture);
        assert!(text.starts_with("DEGRADED    writes and reads go on; h3:1 in az2 is silent\n"), "{text}");
        assert!(text.contains("  az2       h2:1 serving   h3:1 SILENT\n"), "{text}");
        assert!(text.contains("room for 5.0 MiB of 10.0 MiB more"), "{text}");
        assert!(text.lines().count() < 20 && text.contains("waiting   nobody"), "{text}");
        assert_eq!(
            serde_json::from_str::<Picture>(&serde_json::to_string(&picture).unwrap()).unwrap(),
            picture
        );
    }
}
