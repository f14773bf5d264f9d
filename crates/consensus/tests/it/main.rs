//! What the product may rely on: one order, nothing lost, nothing twice.

mod ledger;
mod simulation;
mod sockets;
