//! Prints the TypeScript types of the snapshot: `scripts/generate` keeps them in `src/native/snapshot.d.ts`.

use ts_rs::{Config, TS};
use weft_engine::snapshot::{
    AccessLog, Cluster, ClusterEndpoint, Listener, ListenerLimits, Node, Records, Route, Snapshot,
};

fn main() {
    println!("// Generated from native/engine/src/snapshot by scripts/generate. Do not edit.\n");
    let config = Config::new();
    let declarations = [
        Snapshot::decl(&config),
        Node::decl(&config),
        Records::decl(&config),
        Listener::decl(&config),
        ListenerLimits::decl(&config),
        AccessLog::decl(&config),
        Route::decl(&config),
        Cluster::decl(&config),
        ClusterEndpoint::decl(&config),
    ];
    for declaration in declarations {
        println!("export {declaration}\n");
    }
}
