//! `node.id` and `volume.id`: a few lines of text that say whose a folder is.
//!
//! | line | content |
//! |---|---|
//! | 1 | `sextant node 1`: the kind of file and its format version |
//! | 2 | `volume ` and 32 hexadecimal digits |
//! | 3 | `node ` and 32 hexadecimal digits (zero in `volume.id`) |
//! | 4 | `az ` and 1, 2 or 3 (0 in `volume.id`) |
//! | 5 | `member ` and the position 0 to 5 in every protection group (0 in `volume.id`) |
//! | 6 | `crc32c ` and 8 hexadecimal digits: CRC-32C of the lines before |
//!
//! Text, because an operator who finds a folder should be able to read whose it is.

use protocol::{NodeId, VolumeId};

/// Format version of the files.
pub const IDENTITY_VERSION: u32 = 1;

/// Whose a folder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The volume.
    pub volume: VolumeId,
    /// The storage node.
    pub node: NodeId,
    /// Its availability zone, 1 to 3.
    pub az: u8,
    /// Its position in every protection group, 0 to 5.
    pub member: u8,
}

/// Why a file is no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Written by another version of Sextant.
    #[error("is of format {found}; this build reads format {IDENTITY_VERSION}")]
    Version {
        /// The version it names.
        found: String,
    },
    /// Not such a file, or damaged.
    #[error("is damaged or not a Sextant file (line {line})")]
    Damaged {
        /// The first line that is wrong, from 1.
        line: usize,
    },
}

impl Identity {
    /// The identity in `volume.id`.
    #[must_use]
    pub const fn of_volume(volume: VolumeId) -> Self {
        Self { volume, node: NodeId(0), az: 0, member: 0 }
    }

    /// The text of the file.
    #[must_use]
    pub fn encode(&self) -> String {
        let Self { volume, node, az, member } = self;
        let body = format!(
            "sextant node {IDENTITY_VERSION}\nvolume {volume}\nnode {node}\naz {az}\nmember {member}\n"
        );
        let crc = crc32c::crc32c(body.as_bytes());
        format!("{body}crc32c {crc:08x}\n")
    }

    /// The inverse of [`encode`](Self::encode).
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, IdentityError> {
        let text = std::str::from_utf8(bytes).map_err(|_| IdentityError::Damaged { line: 1 })?;
        let mut lines = text.lines().enumerate();
        let mut field = |name: &str| {
            let (at, line) = lines.next().unwrap_or((text.lines().count(), ""));
            let damaged = IdentityError::Damaged { line: at + 1 };
            line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' ')).map(str::to_string).ok_or(damaged)
        };
        let version = field("sextant node")?;
        if version != IDENTITY_VERSION.to_string() {
            return Err(IdentityError::Version { found: version });
        }
        let (volume, node) = (field("volume")?, field("node")?);
        let (az, member, crc) = (field("az")?, field("member")?, field("crc32c")?);
        let id = |digits: &str, line| {
            let whole = digits.len() == 32;
            let id = u128::from_str_radix(digits, 16).ok().filter(|_| whole);
            id.ok_or(IdentityError::Damaged { line })
        };
        let small = |digits: &str, line| digits.parse::<u8>().map_err(|_| IdentityError::Damaged { line });
        let identity = Self {
            volume: VolumeId(id(&volume, 2)?),
            node: NodeId(id(&node, 3)?),
            az: small(&az, 4)?,
            member: small(&member, 5)?,
        };
        // The text is canonical: what does not encode back to itself was changed, the checksum included.
        if identity.encode().as_bytes() != bytes {
            let line = if identity.encode().ends_with(&format!("crc32c {crc}\n")) { 1 } else { 6 };
            return Err(IdentityError::Damaged { line });
        }
        Ok(identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Identity {
        Identity { volume: VolumeId(0xabc), node: NodeId(u128::MAX), az: 2, member: 3 }
    }

    #[test]
    fn round_trip_and_readable() {
        let text = sample().encode();
        assert!(text.starts_with("sextant node 1\nvolume 00000000000000000000000000000abc\n"), "{text}");
        assert_eq!(Identity::decode(text.as_bytes()), Ok(sample()));
    }

    #[test]
    fn another_version_is_named() {
        let text = sample().encode().replace("node 1\n", "node 2\n");
        let error = Identity::decode(text.as_bytes()).expect_err("version 2");
        assert_eq!(error.to_string(), "is of format 2; this build reads format 1");
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let text = sample().encode().into_bytes();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut bad = text.clone();
                bad[at] ^= 1 << bit;
                assert!(Identity::decode(&bad).is_err(), "bit {bit} of byte {at}");
            }
            assert!(Identity::decode(&text[..at]).is_err(), "cut at {at}");
        }
        assert!(Identity::decode(b"").is_err());
    }
}
