//! The product as a process.

mod idle;
mod running;
mod settings;
mod stop;
mod streams;
