//! What stands at the addresses: asked before anything is opened, created or shown.

use std::time::{Duration, Instant};

use protocol::geometry::{COPIES, WRITE_QUORUM, az_of};
use protocol::{Head, NodeId, VolumeId};
use protocol_grpc::control::{AdoptRequest, ControlClient, StatusReply, bytes128, id128};
use protocol_grpc::tls::Tls;

use super::{Config, NodeAddress, ask_all};

/// How long one round of questions may take.
const ROUND: Duration = Duration::from_secs(1);
/// Addresses asked at most.
const PLACES: usize = 32;
/// Rest between two rounds.
const REST: Duration = Duration::from_millis(100);
/// Once a quorum has answered, the last ones get this long.
const GRACE: Duration = Duration::from_millis(500);

/// What the addresses answered, in the order of the configuration.
#[derive(Clone, Debug)]
pub struct Found {
    /// Address and answer.
    pub nodes: Vec<(NodeAddress, Option<StatusReply>)>,
}

fn volume_of(reply: &StatusReply) -> Option<VolumeId> {
    id128(&reply.volume).filter(|id| *id != 0).map(VolumeId)
}

/// Asks until a quorum of members has answered (and the others had a moment), all have, or `limit` is over.
///
/// # Errors
/// One line: an address named twice, a node in another zone or of another volume than the rest, two at one position.
pub async fn survey(config: &Config, limit: Duration) -> Result<Found, String> {
    let started = Instant::now();
    let mut enough_since: Option<Instant> = None;
    let configured = config.nodes.len();
    let mut config = config.clone();
    loop {
        let replies = ask_all(&config, ROUND).await;
        let mut found = Found { nodes: config.nodes.iter().cloned().zip(replies).collect() };
        found.doubt_from(configured);
        found.check()?;
        // R9: an address list of any age leads to the members, over whatever head is found there.
        let more = found.unknown();
        let answered = found.nodes.iter().filter(|(_, r)| r.is_some()).count();
        let members = found.nodes.iter().filter(|(_, r)| r.as_ref().and_then(volume_of).is_some()).count();
        if started.elapsed() >= limit && (more.is_empty() || config.nodes.len() >= PLACES) {
            return Ok(found);
        }
        if !more.is_empty() && config.nodes.len() < PLACES {
            config.nodes.extend(more);
            continue;
        }
        if answered == found.nodes.len() {
            return Ok(found);
        }
        if members >= WRITE_QUORUM && enough_since.get_or_insert_with(Instant::now).elapsed() >= GRACE {
            return Ok(found);
        }
        tokio::time::sleep(REST).await;
    }
}

impl Found {
    /// Addresses from heads may be of the past: who answers there and is of another volume, or a node known by another name, is nobody.
    fn doubt_from(&mut self, configured: usize) {
        let named = configured.min(self.nodes.len());
        let (named, found) = self.nodes.split_at_mut(named);
        let volume = named.iter().find_map(|(_, reply)| volume_of(reply.as_ref()?));
        let mut met: Vec<Vec<u8>> =
            named.iter().filter_map(|(_, reply)| Some(reply.as_ref()?.node.clone())).collect();
        for (place, reply) in found {
            let ours = reply.as_ref().is_some_and(|r| {
                volume_of(r) == volume && r.az == u32::from(place.az) && !met.contains(&r.node)
            });
            match reply {
                Some(known) if ours => met.push(known.node.clone()),
                _ => *reply = None,
            }
        }
    }

    /// What no moment of waiting heals.
    fn check(&self) -> Result<(), String> {
        let mut taken: Vec<(&[u8], &NodeAddress)> = Vec::new();
        let mut volume: Option<(VolumeId, &NodeAddress)> = None;
        for (n, (place, reply)) in self.nodes.iter().enumerate() {
            if let Some((twin, _)) = self.nodes[..n].iter().find(|(p, _)| p.address == place.address) {
                return Err(format!("{} is named twice ({twin}, {place})", place.address));
            }
            let Some(reply) = reply else { continue };
            if reply.az != u32::from(place.az) {
                return Err(format!("{place}: that node stands in az{}", reply.az));
            }
            let Some(id) = volume_of(reply) else { continue };
            if let Some((known, first)) = volume
                && known != id
            {
                return Err(format!("{first} belongs to volume {known}, {place} to volume {id}"));
            }
            volume = Some((id, place));
            if usize::try_from(reply.position).is_ok_and(|p| p >= COPIES) {
                return Err(format!("{place}: position {} is none", reply.position));
            }
            // Two folders may serve a position while copies move; one folder at two addresses is a mistake.
            if let Some((_, twin)) = taken.iter().find(|(node, _)| *node == reply.node) {
                return Err(format!("{twin} and {place} are the same node"));
            }
            taken.push((&reply.node, place));
        }
        Ok(())
    }

    /// The volume they hold.
    ///
    /// # Errors
    /// One line: they are blank, or silent.
    pub fn volume(&self) -> Result<VolumeId, String> {
        let mut members = self.nodes.iter().filter_map(|(_, reply)| volume_of(reply.as_ref()?));
        if let Some(volume) = members.next() {
            return Ok(volume);
        }
        let silent = self.silent();
        if silent.is_empty() {
            return Err("the storage nodes hold no volume; `sextant volume create` makes one".to_string());
        }
        Err(format!("no storage node with a volume answers; silent: {}", silent.join(", ")))
    }

    fn silent(&self) -> Vec<String> {
        let silent = self.nodes.iter().filter(|(_, reply)| reply.is_none());
        silent.map(|(place, _)| place.to_string()).collect()
    }

    /// The id of a volume to be created: `fresh`, or the one of a creation that was cut short.
    ///
    /// # Errors
    /// One line: not six, not all there, or they hold a volume.
    pub fn new_volume(&self, fresh: VolumeId) -> Result<VolumeId, String> {
        let per_az = |az: u8| self.nodes.iter().filter(|(place, _)| place.az == az).count();
        if let Some(az) = (1..=3).find(|az| per_az(*az) != COPIES / 3) {
            return Err(format!(
                "az{az} has {} storage nodes; a new volume needs two in each of az1, az2, az3",
                per_az(az)
            ));
        }
        let silent = self.silent();
        if !silent.is_empty() {
            return Err(format!("a new volume needs all six storage nodes; silent: {}", silent.join(", ")));
        }
        let replies = || self.nodes.iter().filter_map(|(place, reply)| Some((place, reply.as_ref()?)));
        let Some(volume) = replies().find_map(|(_, reply)| volume_of(reply)) else { return Ok(fresh) };
        let whole = replies().all(|(_, reply)| reply.head_known);
        let opened = replies().find(|(_, reply)| reply.head_epoch > 0);
        match opened.or_else(|| replies().find(|_| whole)) {
            Some((place, _)) => Err(format!("{place} holds volume {volume} already")),
            None => Ok(volume),
        }
    }

    /// Positions by address: the one a node has, else by the order of addresses within the zone.
    ///
    /// # Errors
    /// One line: a zone with more than two addresses.
    pub(super) fn places(&self) -> Result<Vec<u8>, String> {
        let mut places: Vec<Option<u8>> = self.positions();
        for n in 0..places.len() {
            if places[n].is_some() {
                continue;
            }
            let az = self.nodes[n].0.az;
            let free = (0..COPIES as u8).find(|p| az_of(*p).0 == az && !places.contains(&Some(*p)));
            places[n] = Some(free.ok_or_else(|| format!("az{az} has more than two storage nodes"))?);
        }
        Ok(places.into_iter().flatten().collect())
    }

    /// The newest head any of them holds: the volume map.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        let heads = self.nodes.iter().filter_map(|(_, reply)| reply.as_ref()?.map());
        heads.max_by_key(|head| head.version)
    }

    /// Addresses that the newest head names and nobody was asked at.
    fn unknown(&self) -> Vec<NodeAddress> {
        let Some(head) = self.head() else { return Vec::new() };
        let named = head.addresses().into_iter();
        let new = named.filter(|(_, address)| !self.nodes.iter().any(|(place, _)| place.address == *address));
        new.map(|(az, address)| NodeAddress { az: az.0, address: address.to_string() }).collect()
    }

    /// Position and folder met at each address, if it is a node of the volume.
    pub(super) fn met(&self) -> Vec<(Option<u8>, Option<NodeId>)> {
        let node =
            |reply: &Option<StatusReply>| id128(&reply.as_ref()?.node).filter(|id| *id != 0).map(NodeId);
        self.positions().into_iter().zip(&self.nodes).map(|(p, (_, reply))| (p, node(reply))).collect()
    }

    /// Positions that nodes have said they hold.
    pub(super) fn positions(&self) -> Vec<Option<u8>> {
        let of = |reply: &StatusReply| volume_of(reply).and_then(|_| u8::try_from(reply.position).ok());
        self.nodes.iter().map(|(_, reply)| reply.as_ref().and_then(of)).collect()
    }
}

/// Makes a blank daemon a member; its node id.
///
/// # Errors
/// One line.
pub(super) async fn adopt(
    address: &str,
    tls: Option<&Tls>,
    volume: VolumeId,
    position: u8,
) -> Result<NodeId, String> {
    let mut client = ControlClient::connect(address, tls).await.map_err(|e| e.to_string())?;
    let request = AdoptRequest { volume: bytes128(volume.0), position: position.into() };
    let reply = client.adopt(request).await.map_err(|status| status.message().to_string())?;
    id128(&reply.node).map(NodeId).ok_or_else(|| "it answered with no node id".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(replies: [Option<(u128, u32, bool, u64)>; 6]) -> Found {
        let node = |n: usize| {
            let az = (n / 2 + 1) as u8;
            let reply = replies[n].map(|(volume, position, head_known, head_epoch)| StatusReply {
                az: az.into(),
                volume: if volume == 0 { Vec::new() } else { bytes128(volume) },
                position,
                node: bytes128(n as u128 + 1),
                head_known,
                head_epoch,
                ..StatusReply::default()
            });
            (NodeAddress { az, address: format!("h{n}:1") }, reply)
        };
        Found { nodes: (0..6).map(node).collect() }
    }

    fn whole(volume: u128, epoch: u64) -> [Option<(u128, u32, bool, u64)>; 6] {
        std::array::from_fn(|n| Some((volume, n as u32, true, epoch)))
    }

    #[test]
    fn blank_nodes_become_a_volume_in_the_order_they_are_named() {
        let blank = found([Some((0, 0, false, 0)); 6]);
        assert_eq!(blank.check(), Ok(()));
        assert!(blank.volume().unwrap_err().contains("volume create"));
        assert_eq!(blank.new_volume(VolumeId(9)), Ok(VolumeId(9)));
        assert_eq!(blank.places(), Ok(vec![0, 1, 2, 3, 4, 5]));
    }

    #[test]
    fn a_creation_cut_short_is_finished_and_a_volume_is_never_created_again() {
        let mut cut = [Some((0, 0, false, 0)); 6];
        cut[0] = Some((5, 1, true, 0));
        let found_cut = found(cut);
        assert_eq!(found_cut.new_volume(VolumeId(9)), Ok(VolumeId(5)));
        assert_eq!(found_cut.places(), Ok(vec![1, 0, 2, 3, 4, 5]), "who has a place keeps it");
        assert!(found(whole(5, 0)).new_volume(VolumeId(9)).unwrap_err().contains("already"));
        let mut wiped = whole(5, 3);
        wiped[4] = Some((0, 0, false, 0));
        assert!(found(wiped).new_volume(VolumeId(9)).unwrap_err().contains("already"));
        let mut silent = [Some((0, 0, false, 0)); 6];
        silent[2] = None;
        let refusal = found(silent).new_volume(VolumeId(9)).unwrap_err();
        assert!(refusal.ends_with("silent: az2=h2:1"), "{refusal}");
    }

    #[test]
    fn what_does_not_fit_together_is_named() {
        let mut other = whole(5, 3);
        other[3] = Some((6, 3, true, 1));
        assert!(found(other).check().unwrap_err().contains("az2=h3:1 to volume"));
        let mut twice = whole(5, 3);
        twice[1] = Some((5, 0, true, 3));
        let mut twice = found(twice);
        assert_eq!(twice.check(), Ok(()), "a node that copies move to, and the one they leave");
        let node = twice.nodes[0].1.as_ref().map(|reply| reply.node.clone()).unwrap_or_default();
        twice.nodes[1].1.as_mut().expect("it answered").node = node;
        assert_eq!(twice.check(), Err("az1=h0:1 and az1=h1:1 are the same node".to_string()));
        let mut moved = found(whole(5, 3));
        moved.nodes[0].0.az = 2;
        assert_eq!(moved.check(), Err("az2=h0:1: that node stands in az1".to_string()));
    }

    #[test]
    fn addresses_of_the_past_are_believed_only_where_they_fit() {
        let mut all = found(whole(5, 3));
        for (n, volume, node) in [(0, 5, 1), (1, 7, 70), (2, 5, 80)] {
            let (mut place, reply) = all.nodes[0].clone();
            place.address = format!("old{n}:1");
            let reply = reply.map(|r| StatusReply { volume: bytes128(volume), node: bytes128(node), ..r });
            all.nodes.push((place, reply));
        }
        all.doubt_from(6);
        let there: Vec<bool> = all.nodes[6..].iter().map(|(_, reply)| reply.is_some()).collect();
        assert_eq!(there, [false, false, true], "a second name, a stranger, one more node of the volume");
        assert_eq!(all.check(), Ok(()));
    }
}
