//! The hostile world: regression seeds, fresh seeds, and checkers that can fail.

mod attacks;
mod sabotage;
mod seeds;
