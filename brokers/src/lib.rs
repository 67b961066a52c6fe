//! Who we talk to: order entry adapters, the simulated exchange among them.
