//! Prints the TypeScript types of the snapshot, for `src/native/snapshot.d.ts`. Run by `scripts/generate` with the
//! feature `generate`; without it there is nothing to print.

fn main() {
    #[cfg(feature = "generate")]
    generate::print();
}

#[cfg(feature = "generate")]
mod generate {
    use ts_rs::{Config, TS};
    use weft_engine::snapshot::{
        AccessLog, AdaptiveConcurrency, BandwidthLimit, Budget, CircuitBreaker, Cluster, ClusterEndpoint, CookieKey,
        Criticality, Direction, Dns, DnsRecord, EndpointUpdate, FailurePercentage, Fallback, FallbackCause, Fault,
        FaultAbort, FaultDelay, FaultThroughput, FieldMatch, Filter, Forward, ForwardTarget, HeaderChanges,
        HeaderEdits, HeaderLine, HeaderReplace, HeaderRewrite, HealthCheck, Hedge, HttpCheck, KeepAlive, KeyPart,
        LimitedDirection, Listener, ListenerLimits, LoadBalancer, LocalRateLimit, LocalityAware, LocalityMode,
        MemoryBound, Mirror, MirrorDiff, Node, OnFailure, OutlierDetection, Overload, Overrides, PathChange, PathMatch,
        RateBucket, RateKey, Records, Redirect, Respond, Retry, RetryBudget, RetryOn, Rewrite, Route, RouteAction,
        RouteMatch, Script, ScriptBody, SlowCalls, SlowStart, Snapshot, StickyKey, SubsetFallback, Subsets,
        SuccessRateBelow, SuccessRateOutlier, TcpKeepAlive, Tracing, Trip, ValueTest, WarmUp,
    };

    pub(crate) fn print() {
        let config = Config::default();
        println!("// Generated from the structs in native/engine/src/snapshot by `npm run generate`; do not edit.");
        for declaration in [
            Snapshot::decl(&config),
            Node::decl(&config),
            Records::decl(&config),
            Listener::decl(&config),
            ListenerLimits::decl(&config),
            Overload::decl(&config),
            MemoryBound::decl(&config),
            Criticality::decl(&config),
            AccessLog::decl(&config),
            Direction::decl(&config),
            Route::decl(&config),
            Retry::decl(&config),
            RetryOn::decl(&config),
            RouteMatch::decl(&config),
            PathMatch::decl(&config),
            FieldMatch::decl(&config),
            ValueTest::decl(&config),
            RouteAction::decl(&config),
            Forward::decl(&config),
            ForwardTarget::decl(&config),
            StickyKey::decl(&config),
            CookieKey::decl(&config),
            Redirect::decl(&config),
            Respond::decl(&config),
            Rewrite::decl(&config),
            PathChange::decl(&config),
            HeaderChanges::decl(&config),
            HeaderLine::decl(&config),
            Fallback::decl(&config),
            FallbackCause::decl(&config),
            Fault::decl(&config),
            FaultAbort::decl(&config),
            FaultDelay::decl(&config),
            FaultThroughput::decl(&config),
            Cluster::decl(&config),
            CircuitBreaker::decl(&config),
            AdaptiveConcurrency::decl(&config),
            Trip::decl(&config),
            SuccessRateBelow::decl(&config),
            SlowCalls::decl(&config),
            OutlierDetection::decl(&config),
            SuccessRateOutlier::decl(&config),
            FailurePercentage::decl(&config),
            RetryBudget::decl(&config),
            ClusterEndpoint::decl(&config),
            LoadBalancer::decl(&config),
            Subsets::decl(&config),
            SubsetFallback::decl(&config),
            LocalityAware::decl(&config),
            LocalityMode::decl(&config),
            SlowStart::decl(&config),
            Hedge::decl(&config),
            EndpointUpdate::decl(&config),
            Filter::decl(&config),
            BandwidthLimit::decl(&config),
            LimitedDirection::decl(&config),
            Budget::decl(&config),
            LocalRateLimit::decl(&config),
            RateBucket::decl(&config),
            RateKey::decl(&config),
            WarmUp::decl(&config),
            KeyPart::decl(&config),
            HeaderRewrite::decl(&config),
            Script::decl(&config),
            ScriptBody::decl(&config),
            OnFailure::decl(&config),
            HeaderEdits::decl(&config),
            HeaderReplace::decl(&config),
            Tracing::decl(&config),
            KeepAlive::decl(&config),
            TcpKeepAlive::decl(&config),
            Dns::decl(&config),
            DnsRecord::decl(&config),
            HealthCheck::decl(&config),
            HttpCheck::decl(&config),
            Mirror::decl(&config),
            MirrorDiff::decl(&config),
            Overrides::decl(&config),
        ] {
            println!("export {declaration}");
        }
    }
}
