//! What must be true, told by somebody who is not asked by the cores.
//!
//! The oracle sees every record that leaves a writer and every VDL a writer publishes. From these it builds the one *history*: the
//! records at or below the highest VDL ever published, in order. Everything else is compared with it.
//!
//! ```text
//!   written   (epoch, lsn) -> record        whatever any writer ever sent
//!   history    lsn -> record                only ever longer: what was published as durable
//!   acked      commits answered             each in the history for ever (I1)
//! ```

mod history;
mod pages;

pub use history::History;
pub use pages::PageModel;
