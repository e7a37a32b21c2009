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
        AccessLog, CircuitBreaker, Cluster, ClusterEndpoint, EndpointUpdate, Listener, ListenerLimits, LoadBalancer,
        Node, Records, Retry, RetryBudget, RetryOn, Route, Snapshot,
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
            AccessLog::decl(&config),
            Route::decl(&config),
            Retry::decl(&config),
            RetryOn::decl(&config),
            Cluster::decl(&config),
            CircuitBreaker::decl(&config),
            RetryBudget::decl(&config),
            ClusterEndpoint::decl(&config),
            LoadBalancer::decl(&config),
            EndpointUpdate::decl(&config),
        ] {
            println!("export {declaration}");
        }
    }
}
