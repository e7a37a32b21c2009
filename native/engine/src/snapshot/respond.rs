//! What the proxy answers itself, and what it changes in the heads it passes on.

use serde::{Deserialize, Serialize};

/// A fixed answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Respond {
    /// 200 to 599.
    pub status: u16,
    /// Its lines, without those of the framing.
    pub headers: Vec<HeaderLine>,
    /// Its body.
    pub body: String,
}

/// A header line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderLine {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Changes to a head. A name stands in one of the lists only.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderChanges {
    /// In place of every line of that name.
    pub set: Vec<HeaderLine>,
    /// Beside the lines of that name.
    pub add: Vec<HeaderLine>,
    /// Every line of these names goes.
    pub remove: Vec<String>,
}

/// What is answered when forwarding failed before the answer began.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fallback {
    /// For these failures.
    pub on: Vec<FallbackCause>,
    /// This.
    pub respond: Respond,
}

/// A family of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum FallbackCause {
    /// The cluster has no endpoint that is up.
    NoHealthyUpstream,
    /// A bound of the proxy is reached.
    Overflow,
    /// The answer did not begin in time.
    Timeout,
    /// No connection could be made.
    ConnectFailure,
    /// The endpoint ended the connection before its answer began.
    Reset,
}
