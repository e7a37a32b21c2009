//! A subset: the endpoints of a cluster that have certain labels. It is named by what it asks for, so that whoever names
//! one needs no table that changes with the endpoints.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use foldhash::quality::FixedState;

/// The endpoints that have certain labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subset {
    /// Of the labels.
    pub id: u64,
    /// The labels in words: `version=v2, stage=test`.
    pub text: String,
}

impl Subset {
    /// Those with all of these labels.
    pub fn new(labels: &BTreeMap<String, String>) -> Self {
        Self::of(labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect())
    }

    /// The subset by these names of labels that somebody with such labels is in; `None` without one of them.
    pub(super) fn within(labels: &BTreeMap<String, String>, keys: &[String]) -> Option<Self> {
        let pairs: Option<Vec<(&str, &str)>> =
            keys.iter().map(|key| Some((key.as_str(), labels.get(key)?.as_str()))).collect();
        pairs.map(Self::of)
    }

    /// `pairs` are sorted by name.
    fn of(pairs: Vec<(&str, &str)>) -> Self {
        let words: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        Self { id: FixedState::default().hash_one(&pairs), text: words.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subset_is_known_by_its_labels_whatever_else_an_endpoint_has() {
        let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let asked = Subset::new(&labels(&[("version", "v2"), ("stage", "test")]));
        assert_eq!(asked.text, "stage=test, version=v2");
        let endpoint = labels(&[("version", "v2"), ("zone", "a"), ("stage", "test")]);
        assert_eq!(Subset::within(&endpoint, &["stage".to_owned(), "version".to_owned()]), Some(asked.clone()));
        assert_ne!(Subset::within(&endpoint, &["version".to_owned()]), Some(asked));
        assert_eq!(Subset::within(&endpoint, &["canary".to_owned()]), None);
    }
}
