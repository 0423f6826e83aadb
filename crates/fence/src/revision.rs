//! How far a gateway has got, as an opaque token that clients may send back: `1-<epoch>-<filer>.<position>[-...]`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::FilerName;

/// A position on the stream of each filer, and the store to which the positions belong.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Revision {
    /// Identifies the store to which the positions belong; every store has its own epoch.
    pub epoch: u32,
    positions: BTreeMap<u32, u64>,
}

/// The text is not a revision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a revision: send the value of x-kelpgate-revision from an answer of this cluster, unchanged")]
pub struct RevisionError(String);

/// The longest text that is accepted, in bytes.
const LONGEST: usize = 1024;

impl Revision {
    /// The beginning of a store.
    pub fn new(epoch: u32) -> Self {
        Self { epoch, positions: BTreeMap::new() }
    }

    /// Records that everything up to this position (ns on the filer's clock) is applied.
    pub fn reach(&mut self, filer: &FilerName, position_ns: i64) {
        let position_ns = u64::try_from(position_ns).unwrap_or(0);
        let known = self.positions.entry(short(filer)).or_default();
        *known = position_ns.max(*known);
    }

    /// The same revision without the positions of filers that are not among these.
    #[must_use]
    pub fn only<'a>(&self, filers: impl Iterator<Item = &'a FilerName>) -> Self {
        let wanted: BTreeSet<u32> = filers.map(short).collect();
        let positions = self.positions.iter().filter(|(filer, _)| wanted.contains(filer));
        Self { epoch: self.epoch, positions: positions.map(|(filer, position)| (*filer, *position)).collect() }
    }

    /// Whether everything up to this floor is applied. Filers that are not followed here do not count: everything has
    /// been listed since they were given up.
    pub fn covers(&self, floor: &Self) -> bool {
        self.epoch == floor.epoch
            && floor
                .positions
                .iter()
                .all(|(filer, position)| self.positions.get(filer).is_none_or(|known| known >= position))
    }
}

/// Replaces a name by a number: names would make the token long, and clients need not know them.
fn short(filer: &FilerName) -> u32 {
    filer.0.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1-{:08x}", self.epoch)?;
        self.positions.iter().try_for_each(|(filer, position)| write!(f, "-{filer:08x}.{position:x}"))
    }
}

impl FromStr for Revision {
    type Err = RevisionError;

    fn from_str(text: &str) -> Result<Self, RevisionError> {
        let parse = || {
            let mut parts = text.strip_prefix("1-").filter(|_| text.len() <= LONGEST)?.split('-');
            let hexadecimal = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let mut revision = Self::new(u32::from_str_radix(parts.next().filter(|d| hexadecimal(d))?, 16).ok()?);
            for part in parts {
                let (filer, position) = part.split_once('.').filter(|(a, b)| hexadecimal(a) && hexadecimal(b))?;
                let position = u64::from_str_radix(position, 16).ok()?;
                revision.positions.insert(u32::from_str_radix(filer, 16).ok()?, position);
            }
            Some(revision)
        };
        parse().ok_or_else(|| RevisionError(text.chars().take(64).collect()))
    }
}
