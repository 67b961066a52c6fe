//! The truth ledger: everything that reached the venue and everything that it did, in order, in a
//! file that only grows. It survives whoever trades there, and is what their memory is compared with.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use brokers::bridge::wire::{SubmitOrder, WireExecution};
use market::{ExecutionId, Price, Quantity, Timestamp};
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Event {
    /// The venue opened.
    Opened {
        /// Its seed.
        seed: u64,
        /// Its level of chaos.
        chaos: u8,
    },
    /// A connection was accepted.
    Connected {
        /// Its number.
        connection: u64,
    },
    /// An account logged on over it.
    LoggedOn {
        /// Which connection.
        connection: u64,
        /// Which account.
        account: String,
    },
    /// A connection ended.
    Closed {
        /// Which.
        connection: u64,
        /// Why.
        reason: String,
    },
    /// A line came, as it came.
    Received {
        /// Over which connection.
        connection: u64,
        /// The line.
        text: String,
    },
    /// The line before this one was lost: it was never handled and never will be.
    Lost {
        /// Over which connection.
        connection: u64,
        /// The line.
        text: String,
        /// How.
        reason: String,
    },
    /// A line that is no message.
    Unreadable {
        /// The line.
        text: String,
    },
    /// An order was taken.
    Order(SubmitOrder),
    /// An order with an identifier that was used before. It was not placed.
    Duplicate(SubmitOrder),
    /// The order is in the book.
    Acknowledged {
        /// Which.
        order: String,
    },
    /// An order traded: the account's own, or one by hand.
    Filled(WireExecution),
    /// An execution was taken back.
    Busted {
        /// The name of the bust.
        execution_id: ExecutionId,
        /// What was taken back.
        reference: ExecutionId,
    },
    /// An execution was corrected.
    Corrected {
        /// The execution that was replaced.
        reference: ExecutionId,
        /// The one that stands in its place.
        execution: WireExecution,
    },
    /// An order was cancelled.
    Canceled {
        /// Which.
        order: String,
        /// Empty when it was asked for.
        reason: String,
    },
    /// An order was changed.
    Replaced {
        /// Which.
        order: String,
        /// Its total quantity now.
        quantity: Quantity,
        /// Its limit price now.
        limit_price: Option<Price>,
    },
    /// An order's time ended.
    Expired {
        /// Which.
        order: String,
    },
    /// An order was rejected.
    Rejected {
        /// Which.
        order: String,
        /// Why.
        reason: String,
    },
    /// A cancel or replace was refused.
    Refused {
        /// Which order.
        order: String,
        /// `cancel` or `replace`.
        command: String,
        /// Why.
        reason: String,
    },
    /// Somebody placed an order by hand.
    HandOrder {
        /// Its name.
        order: String,
    },
    /// A line was written.
    Sent {
        /// Over which connection.
        connection: u64,
        /// The line.
        text: String,
    },
    /// Chaos ended; nothing trades any more.
    Settled,
}

/// An entry of the ledger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// 1, 2, 3 …
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: Event,
}

/// The file.
#[derive(Debug)]
pub struct Ledger {
    file: File,
    number: u64,
}

impl Ledger {
    /// Creates the file.
    ///
    /// # Errors
    /// It is there already, or cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: OpenOptions::new().append(true).create_new(true).open(path)?, number: 0 })
    }

    /// Writes an entry before its effect can be seen by anybody.
    ///
    /// # Errors
    /// The disk.
    pub fn write(&mut self, at: Timestamp, event: Event) -> io::Result<()> {
        self.number += 1;
        let mut line = serde_json::to_vec(&Entry { number: self.number, at, event })?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}

/// Reads a ledger.
///
/// # Errors
/// A file that cannot be read, or a line that no venue wrote.
pub fn read(path: &Path) -> io::Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    for line in BufReader::new(File::open(path)?).lines() {
        let entry: Entry = serde_json::from_str(&line?)?;
        if entry.number != entries.len() as u64 + 1 {
            return Err(io::Error::other(format!("entry {} follows entry {}", entry.number, entries.len())));
        }
        entries.push(entry);
    }
    Ok(entries)
}
