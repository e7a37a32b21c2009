//! The command line: `--name value` pairs, typed when taken; a name nobody took is an error.

use std::collections::BTreeMap;
use std::io;
use std::str::FromStr;
use std::time::Duration;

/// Why a command did not run.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The command line is wrong; the text says how.
    Usage(String),
    /// The system refused something.
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<rustix::io::Errno> for Fault {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Io(error.into())
    }
}

/// The pairs not yet taken.
#[derive(Debug)]
pub(crate) struct Arguments(BTreeMap<String, String>);

impl Arguments {
    pub(crate) fn parse(words: Vec<String>) -> Result<Self, Fault> {
        let mut pairs = BTreeMap::new();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").ok_or_else(|| Fault::Usage(format!("{word} is not an option")))?;
            let value = words.next().ok_or_else(|| Fault::Usage(format!("--{name} needs a value")))?;
            if pairs.insert(name.to_owned(), value).is_some() {
                return Err(Fault::Usage(format!("--{name} is given twice")));
            }
        }
        Ok(Self(pairs))
    }

    /// The value of `--name`, or `None` when it was not given.
    pub(crate) fn take<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Fault> {
        self.0
            .remove(name)
            .map(|text| text.parse().map_err(|_| Fault::Usage(format!("--{name} cannot be {text}"))))
            .transpose()
    }

    pub(crate) fn require<T: FromStr>(&mut self, name: &str) -> Result<T, Fault> {
        self.take(name)?.ok_or_else(|| Fault::Usage(format!("--{name} is missing")))
    }

    /// A number within `1..=most`, so that no loop is unbounded.
    pub(crate) fn count(&mut self, name: &str, most: u64) -> Result<u64, Fault> {
        let count = self.require(name)?;
        if (1..=most).contains(&count) {
            return Ok(count);
        }
        Err(Fault::Usage(format!("--{name} must be within 1 and {most}")))
    }

    /// A time of at most an hour, in seconds.
    pub(crate) fn seconds(&mut self, name: &str) -> Result<Duration, Fault> {
        let seconds: f64 = self.require(name)?;
        if seconds > 0.0 && seconds <= 3600.0 {
            return Ok(Duration::from_secs_f64(seconds));
        }
        Err(Fault::Usage(format!("--{name} must be over 0 and at most 3600")))
    }

    /// Call when every known name was taken.
    pub(crate) fn finish(self) -> Result<(), Fault> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(Fault::Usage(format!("--{name} is not known here"))),
        }
    }
}
