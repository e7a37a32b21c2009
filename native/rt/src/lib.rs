//! The runtime seam: everything the engine asks of an event loop, and nothing else.
