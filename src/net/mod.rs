//! What concerns the network: addresses, and later the sockets behind them.

pub mod address;
