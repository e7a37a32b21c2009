//! The closed list of numbers that are not about a finished exchange: name, kind and help text stand here only.

use serde::Serialize;

/// Does the number only grow?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Grows until the process ends.
    Counter,
    /// Says how many there are now.
    Gauge,
}

/// What a number is called where it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Description {
    /// Name as Prometheus has it.
    pub name: &'static str,
    /// Counter or gauge.
    pub kind: Kind,
    /// One sentence for its reader.
    pub help: &'static str,
}

macro_rules! counters {
    ($($variant:ident, $kind:ident, $name:literal, $help:literal;)*) => {
        /// A number that a worker keeps.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Counter { $(#[doc = $help] $variant),* }

        /// Descriptions, at the place of their [`Counter`].
        pub const COUNTERS: [Description; [$($name),*].len()] =
            [$(Description { name: $name, kind: Kind::$kind, help: $help }),*];
    };
}

counters! {
    DownstreamConnectionsActive, Gauge, "weft_downstream_connections_active", "Client connections open now.";
    DownstreamConnections, Counter, "weft_downstream_connections_total", "Client connections accepted.";
    DownstreamConnectionsRefused, Counter, "weft_downstream_connections_refused_total", "Client connections refused at a limit.";
    RequestsActive, Gauge, "weft_requests_active", "Exchanges under way now.";
    RequestsOutboundActive, Gauge, "weft_requests_outbound_active", "Exchanges of outbound listeners under way now.";
    UpstreamConnections, Counter, "weft_upstream_connections_total", "Connections to endpoints begun.";
    UpstreamConnectionsFailed, Counter, "weft_upstream_connections_failed_total", "Connections to endpoints that could not be made.";
    UpstreamConnectionsReused, Counter, "weft_upstream_connections_reused_total", "Upstream attempts that took a connection out of a pool.";
    Retries, Counter, "weft_retries_total", "Upstream attempts after the first one.";
    RateLimited, Counter, "weft_rate_limited_total", "Requests that a rate limit refused.";
    RateLimitShadowed, Counter, "weft_rate_limit_shadowed_total", "Requests that a rate limit in shadow mode would have refused.";
    RateLimitPaced, Counter, "weft_rate_limit_paced_total", "Requests that a rate limit had wait for their turn.";
    OverridesIgnored, Counter, "weft_overrides_ignored_total", "Requests of callers that are not trusted whose lane or l5d-dtab was removed.";
    Mirrors, Counter, "weft_mirrored_total", "Copies of requests that were sent to mirrors.";
    MirrorsDropped, Counter, "weft_mirror_dropped_total", "Copies of requests that were due and not made: too many under way, or a body too long.";
    BandwidthLimited, Counter, "weft_bandwidth_limited_total", "Bodies that a bandwidth limit had wait.";
    RequestsShed, Counter, "weft_requests_shed_total", "Requests refused because the proxy was overloaded.";
    FaultsInjected, Counter, "weft_faults_injected_total", "Delays, answers and slow answers that fault injection caused.";
    BudgetsForged, Counter, "weft_budgets_forged_total", "Requests whose x-weft-budget no known key has signed.";
    BudgetsReplayed, Counter, "weft_budgets_replayed_total", "Requests whose x-weft-budget had been used before.";
    BudgetsExpired, Counter, "weft_budgets_expired_total", "Requests whose x-weft-budget was written too long ago.";
    ParseErrors, Counter, "weft_parse_errors_total", "Requests refused because they are malformed or ambiguous.";
    AcceptPauses, Counter, "weft_accept_pauses_total", "Times that accepting stopped for want of descriptors.";
    Panics, Counter, "weft_panics_total", "Tasks that ended by a panic.";
    LogLinesDropped, Counter, "weft_log_lines_dropped_total", "Access log lines dropped because the queue was full.";
    LogWriteErrors, Counter, "weft_log_write_errors_total", "Writes to an access log that failed; their lines are kept and tried again.";
    SeriesOverflows, Counter, "weft_series_overflows_total", "Exchanges counted in the common series because the budget of series was spent.";
}
