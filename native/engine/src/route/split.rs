//! Which of a route's clusters, or parts of clusters, takes a request: by chance, or the same one for requests that agree in a key.
//!
//! With a key it is weighted rendezvous hashing (Thaler and Ravishankar 1998; weights after Schindelhauer and Schomaker
//! 2005): each cluster draws a score from the key, `-weight / ln(hash)`, and the greatest takes the request. A share
//! that grows can only win keys, one that shrinks can only lose them, so raising a canary from 10 to 20 % moves nobody
//! back. Invariant: the hash is fixed for ever, the same in each worker, proxy and version.

use super::facts::RequestFacts;
use super::sticky::Sticky;
use crate::snapshot::Subset;

/// A cluster with its share.
#[derive(Clone, Debug)]
pub struct Target {
    /// Index of the cluster.
    pub cluster: u16,
    /// Its share.
    pub weight: u32,
    /// Only this part of it.
    pub subset: Option<Subset>,
    /// Of its name, and the subset's.
    hash: u64,
}

impl Target {
    /// A cluster, known to the hash by its name and not by its place, or a part of it, known by its labels as well.
    pub fn new(cluster: u16, name: &str, weight: u32, subset: Option<Subset>) -> Self {
        let hash = match &subset {
            None => hash_of(name.as_bytes()),
            Some(subset) => hash_of(format!("{name}\n{}", subset.text).as_bytes()),
        };
        Self { cluster, weight, subset, hash }
    }
}

/// The clusters of a route.
#[derive(Clone, Debug)]
pub struct Split {
    targets: Box<[Target]>,
    total: u64,
    sticky: Option<Sticky>,
}

impl Split {
    /// Over these clusters; `None` when there is none or they have no weight.
    pub fn new(targets: Vec<Target>, sticky: Option<Sticky>) -> Option<Self> {
        let total = targets.iter().map(|target| u64::from(target.weight)).sum();
        (total > 0).then(|| Self { targets: targets.into(), total, sticky })
    }

    /// The clusters and their shares.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Sum of the shares.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// What keeps requests together.
    pub fn sticky(&self) -> Option<&Sticky> {
        self.sticky.as_ref()
    }

    /// Who takes a request. `chance` is asked for a number below its argument, only where one is needed.
    pub fn pick<F: RequestFacts + ?Sized>(&self, facts: &F, chance: impl FnOnce(u64) -> u64) -> Option<&Target> {
        self.pick_by(|key| key.value(facts).map(|value| hash_of(&value)), chance)
    }

    /// The same where the hash of the key, [`hash_of`] its value, is found in another way. It is asked for only where it
    /// decides.
    pub fn pick_by(
        &self,
        hash: impl FnOnce(&Sticky) -> Option<u64>,
        chance: impl FnOnce(u64) -> u64,
    ) -> Option<&Target> {
        if let [only] = &*self.targets {
            return Some(only);
        }
        let sticky = self.sticky.as_ref().and_then(hash);
        sticky.map_or_else(|| self.at(chance(self.total)), |key| self.of(key))
    }

    /// Who takes the requests with this one's key, if it has one.
    pub fn stuck<F: RequestFacts + ?Sized>(&self, facts: &F) -> Option<&Target> {
        self.sticky.as_ref().and_then(|key| key.value(facts)).and_then(|value| self.of(hash_of(&value)))
    }

    /// The one whose share covers a point below the total.
    fn at(&self, mut point: u64) -> Option<&Target> {
        for target in &self.targets {
            let weight = u64::from(target.weight);
            if point < weight {
                return Some(target);
            }
            point -= weight;
        }
        self.targets.first()
    }

    fn of(&self, key: u64) -> Option<&Target> {
        let score = |target: &Target| -f64::from(target.weight) / unit(mix(key ^ target.hash)).ln();
        let scored = self.targets.iter().map(|target| (score(target), target));
        scored.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, target)| target)
    }
}

/// FNV-1a (draft-eastlake-fnv), 64 bits.
pub fn hash_of(text: &[u8]) -> u64 {
    text.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The finaliser of MurmurHash3: each bit of the input reaches each bit of the output.
fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// A number above 0 and below 1 from the upper 52 bits, in the middle of its step so that neither end is met.
fn unit(hash: u64) -> f64 {
    ((hash >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}
