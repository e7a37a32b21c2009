//! Response flags: why an answer is what it is, in the two-letter names that Envoy made common.
//!
//! One table. `respond.rs` chooses a flag; record, access log and metrics only carry it.

use serde::{Serialize, Serializer};

macro_rules! flags {
    ($($(#[$doc:meta])* $variant:ident, $short:literal, $long:literal, $details:literal;)*) => {
        /// Why the proxy answered, or ended the exchange, by its own decision; `None` when it did not.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Flag { $($(#[$doc])* $variant),* }

        impl Flag {
            /// Every flag, in the order of their numbers.
            pub const ALL: &'static [Flag] = &[$(Flag::$variant),*];

            /// The name that logs and metrics use, `-` for none.
            pub const fn short(self) -> &'static str { match self { $(Flag::$variant => $short),* } }

            /// The name in words, `-` for none.
            pub const fn long(self) -> &'static str { match self { $(Flag::$variant => $long),* } }

            /// What the access log's RESPONSE_CODE_DETAILS says of an answer with this flag.
            pub const fn details(self) -> &'static str { match self { $(Flag::$variant => $details),* } }
        }
    };
}

flags! {
    /// The answer is the upstream's, or one that a route asks for.
    #[default] None, "-", "-", "direct_response";
    /// No healthy endpoint in the cluster; 503.
    NoHealthyUpstream, "UH", "NoHealthyUpstream", "no_healthy_upstream";
    /// The connection to the endpoint could not be made; 503.
    UpstreamConnectionFailure, "UF", "UpstreamConnectionFailure", "upstream_reset_before_response_started{connection_failure}";
    /// A limit of the circuit breaker was reached; 503.
    UpstreamOverflow, "UO", "UpstreamOverflow", "upstream_reset_before_response_started{overflow}";
    /// The upstream closed the connection; 503.
    UpstreamConnectionTermination, "UC", "UpstreamConnectionTermination", "upstream_reset_before_response_started{connection_termination}";
    /// The upstream reset the stream; 503.
    UpstreamRemoteReset, "UR", "UpstreamRemoteReset", "upstream_reset_before_response_started{remote_reset}";
    /// The upstream did not answer in time; 504.
    UpstreamRequestTimeout, "UT", "UpstreamRequestTimeout", "upstream_response_timeout";
    /// This side reset the upstream stream; 503.
    LocalReset, "LR", "LocalReset", "upstream_reset_before_response_started{local_reset}";
    /// The local application failed its health check; 503.
    FailedLocalHealthCheck, "LH", "FailedLocalHealthCheck", "health_check_failed";
    /// No route matches; 404.
    NoRouteFound, "NR", "NoRouteFound", "route_not_found";
    /// The route names a cluster that does not exist; 503.
    NoClusterFound, "NC", "NoClusterFound", "cluster_not_found";
    /// Every permitted retry was spent.
    UpstreamRetryLimitExceeded, "URX", "UpstreamRetryLimitExceeded", "upstream_retry_limit_exceeded";
    /// The client went away.
    DownstreamConnectionTermination, "DC", "DownstreamConnectionTermination", "downstream_remote_disconnect";
    /// The whole exchange passed its time limit.
    DurationTimeout, "DT", "DurationTimeout", "max_duration_timeout";
    /// Nothing moved for too long; 408 before an answer began.
    StreamIdleTimeout, "SI", "StreamIdleTimeout", "stream_idle_timeout";
    /// The upstream stream passed its longest permitted life.
    UpstreamMaxStreamDurationReached, "UMSDR", "UpstreamMaxStreamDurationReached", "upstream_max_stream_duration_reached";
    /// Fault injection delayed the request.
    DelayInjected, "DI", "DelayInjected", "fault_filter_delay";
    /// Fault injection answered.
    FaultInjected, "FI", "FaultInjected", "fault_filter_abort";
    /// A rate limit refused the request; 429.
    RateLimited, "RL", "RateLimited", "request_rate_limited";
    /// The rate limit service failed.
    RateLimitServiceError, "RLSE", "RateLimitServiceError", "rate_limiter_error";
    /// The external authorization service refused the request.
    UnauthorizedExternalService, "UAEX", "UnauthorizedExternalService", "ext_authz_denied";
    /// A header of the request broke a strict check; 400.
    InvalidRequestHeaders, "IH", "InvalidEnvoyRequestHeaders", "request_headers_failed_strict_check";
    /// The client broke the protocol; 400.
    DownstreamProtocolError, "DPE", "DownstreamProtocolError", "downstream_protocol_error";
    /// The upstream broke the protocol; 502.
    UpstreamProtocolError, "UPE", "UpstreamProtocolError", "upstream_reset_before_response_started{protocol_error}";
    /// The cache answered.
    ResponseFromCache, "RFCF", "ResponseFromCacheFilter", "response_from_cache_filter";
    /// A filter's configuration had not arrived.
    NoFilterConfigFound, "NFCF", "NoFilterConfigFound", "no_filter_config_found";
    /// The proxy shed load; 503.
    OverloadManager, "OM", "OverloadManagerTerminated", "overload";
    /// The endpoint's name did not resolve; 503.
    DnsResolutionFailed, "DF", "DnsResolutionFailed", "dns_resolution_failure";
    /// The cluster's load assignment told to drop the request; 503.
    DropOverload, "DO", "DropOverload", "drop_overload";
    /// A filter failed, and its policy ended the exchange; 500.
    FilterFailed, "FF", "FilterFailed", "filter_failed";
}

impl Serialize for Flag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.short())
    }
}

#[cfg(test)]
mod tests {
    use super::Flag;
    use std::collections::HashSet;

    #[test]
    fn every_flag_has_names_of_its_own() {
        let short: HashSet<_> = Flag::ALL.iter().map(|flag| flag.short()).collect();
        let long: HashSet<_> = Flag::ALL.iter().map(|flag| flag.long()).collect();
        assert_eq!((short.len(), long.len()), (Flag::ALL.len(), Flag::ALL.len()));
    }

    #[test]
    fn the_number_of_a_flag_is_its_place_in_the_list_and_fits_six_bits() {
        for (place, flag) in Flag::ALL.iter().enumerate() {
            assert_eq!(*flag as usize, place);
        }
        assert!(Flag::ALL.len() <= 64, "a series key keeps six bits for the flag");
    }

    #[test]
    fn the_names_are_those_of_the_published_list() {
        let short: Vec<_> = Flag::ALL.iter().map(|flag| flag.short()).collect();
        let published =
            "- UH UF UO UC UR UT LR LH NR NC URX DC DT SI UMSDR DI FI RL RLSE UAEX IH DPE UPE RFCF NFCF OM DF DO";
        // A filter that failed has no name there.
        assert_eq!(short.join(" "), format!("{published} FF"));
    }
}
