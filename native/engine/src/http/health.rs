//! What endpoints say of their own health in the header of an answer; names known from Envoy.

/// The endpoint is to get no requests from now on.
pub const IMMEDIATE_FAIL: &[u8] = b"x-envoy-immediate-health-check-fail";
/// In the answer to a health check: others should be asked first.
pub const DEGRADED: &[u8] = b"x-envoy-degraded";
