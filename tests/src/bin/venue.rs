//! The test venue as a program: listens, writes its address to a file, obeys lines on standard input
//! and answers each with one line of JSON. `tests::venue` says what it does.

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;

use clap::Parser;
use tests::venue::{Venue, VenueSettings};

#[derive(Parser)]
#[command(about = "A simulated broker to be tested against")]
struct Arguments {
    /// Of its chances.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the record of everything goes; a new file.
    #[arg(long)]
    ledger: PathBuf,
    /// Where the address goes.
    #[arg(long)]
    address_file: PathBuf,
    /// 0 none, 1 untidy, 2 a bad connection, 3 everything.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=3))]
    chaos: u8,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let venue = Venue::open(&VenueSettings { seed: arguments.seed, chaos: arguments.chaos, ledger: arguments.ledger })?;
    // Moved into place whole: whoever waits for the file never reads half an address.
    let half = arguments.address_file.with_extension("half");
    std::fs::write(&half, venue.address().to_string())?;
    std::fs::rename(&half, &arguments.address_file)?;
    let control = venue.control();
    let controlled = std::thread::spawn(move || {
        let mut lines = std::io::stdin().lock().lines();
        loop {
            // Nobody to control it: nobody is left that it could be for.
            let line = lines.next().and_then(Result::ok).unwrap_or_else(|| "stop".to_owned());
            let stops = line.trim() == "stop";
            let (answer, answered) = sync_channel(1);
            if !control((line, answer)) {
                return;
            }
            let Ok(value) = answered.recv() else { return };
            let mut out = std::io::stdout().lock();
            if writeln!(out, "{value}").and_then(|()| out.flush()).is_err() || stops {
                return;
            }
        }
    });
    venue.run()?;
    // It has the last answer to write.
    controlled.join().map_err(|_| "the control has panicked")?;
    Ok(())
}
