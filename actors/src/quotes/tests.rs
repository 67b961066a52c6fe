//! The Publisher's steps against a double in memory, and its thread against a real Redis server that is stopped,
//! killed, wiped and filled.

use std::sync::Mutex;

use market::history::{DelayClass, SourceName};
use market::{Price, Symbol, Timestamp};
use store::quotes::HotQuote;
use store::testing::RedisServer;
use store::{RedisQuotes, RedisSettings, StoreError};

use super::*;

const TTL: Duration = Duration::from_secs(600);
/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(120);

fn slots(symbols: usize) -> (Arc<InProcessQuotes>, Pen) {
    let symbols = (0..symbols).map(|number| format!("T{number}").parse().expect("a symbol")).collect();
    let quotes = Arc::new(InProcessQuotes::new(symbols, TTL, Instant::now()));
    let origin = quotes.origin(SourceName::of("test"), DelayClass::Synthetic);
    (Arc::clone(&quotes), Pen::new(quotes, origin))
}

fn write(pen: &Pen, place: u32, price: i64) {
    let (at, last) = (Timestamp::from_nanos(price), Price::from_steps(price));
    let top = TopOfBook { at, last, bid: last, ask: last, ..TopOfBook::default() };
    pen.write(InstrumentId::new(place), &top, (Quantity::new(price), Quantity::new(price)));
}

/// Symbols with their prices.
type Told = Vec<(String, i64)>;

/// A server in memory: what it does next, and the batches that it took.
#[derive(Clone, Default)]
struct Double(Arc<Mutex<(Option<Kept>, Vec<Told>)>>);

impl Double {
    /// From now on it answers this; nothing: it fails.
    fn answers(&self, kept: Option<Kept>) {
        self.0.lock().expect("a lock").0 = kept;
    }

    fn took(&self) -> Vec<Told> {
        std::mem::take(&mut self.0.lock().expect("a lock").1)
    }
}

impl HotQuotes for Double {
    fn publish(&self, batch: &[Fresh], _: Instant) -> Result<Kept, StoreError> {
        let mut inner = self.0.lock().expect("a lock");
        let failed = || StoreError::Failed { place: "a double".to_owned(), doing: "publish", source: "away".into() };
        let kept = inner.0.ok_or_else(failed)?;
        inner.1.push(batch.iter().map(|fresh| (fresh.quote.symbol.to_string(), fresh.quote.last.steps())).collect());
        Ok(kept)
    }

    fn newest(&self, _: Symbol, _: Instant) -> Result<Option<HotQuote>, StoreError> {
        Ok(None)
    }
}

fn work(symbols: usize) -> (Work, Pen, Double, Figures) {
    let (quotes, pen) = slots(symbols);
    let (double, figures) = (Double::default(), Figures::new(Instant::now()));
    double.answers(Some(Kept::AsBefore));
    (Work::new(quotes, Box::new(double.clone()), figures.clone(), 7), pen, double, figures)
}

fn told(batch: &[(&str, i64)]) -> Told {
    batch.iter().map(|(symbol, price)| ((*symbol).to_owned(), *price)).collect()
}

#[test]
fn the_newest_of_each_symbol_is_published_once() {
    let (mut work, pen, double, figures) = work(3);
    let now = Instant::now();
    for price in 1..=5 {
        write(&pen, 0, price);
    }
    write(&pen, 2, 9);
    assert_eq!(work.step(now), LOOK_EVERY);
    assert_eq!(double.took(), [told(&[("T0", 5), ("T2", 9)])]);
    assert_eq!(work.step(now), LOOK_EVERY);
    assert!(double.took().is_empty(), "nothing was written since");
    write(&pen, 0, 6);
    work.step(now);
    assert_eq!(double.took(), [told(&[("T0", 6)])]);
    let look = figures.look(now);
    assert_eq!((look.published, look.conflated, look.failed, look.lag_nanoseconds), (3, 4, 0, 0));
    assert!(look.last_success.is_some());
}

#[test]
fn each_second_it_asks_whether_the_server_has_forgotten_and_tells_all_again() {
    let (mut work, pen, double, _) = work(2);
    let now = Instant::now();
    write(&pen, 0, 1);
    write(&pen, 1, 2);
    work.step(now);
    work.step(now + BEAT / 2);
    double.took();
    double.answers(Some(Kept::Nothing));
    work.step(now + BEAT);
    assert_eq!(double.took(), [told(&[])], "an empty batch asks");
    double.answers(Some(Kept::AsBefore));
    work.step(now + BEAT + LOOK_EVERY);
    assert_eq!(double.took(), [told(&[("T0", 1), ("T1", 2)])]);
}

#[test]
fn while_the_server_is_away_pauses_grow_and_only_the_newest_waits() {
    let (mut work, pen, double, figures) = work(2);
    let now = Instant::now();
    write(&pen, 1, 50);
    work.step(now);
    double.took();
    double.answers(None);
    let mut whole = FIRST_PAUSE;
    for price in 1..=10 {
        write(&pen, 0, price);
        let pause = work.step(now);
        assert!(pause >= whole / 2 && pause <= whole, "{pause:?} of {whole:?}");
        whole = (whole * 2).min(LONGEST_PAUSE);
    }
    let look = figures.look(now + TTL / 2);
    assert_eq!((look.failed, look.published), (10, 1));
    assert!(look.lag_nanoseconds > 0, "something waits");
    double.answers(Some(Kept::AsBefore));
    assert_eq!(work.step(now), LOOK_EVERY);
    // It may have lost a connection only; what was on its way then may have arrived late, so all is told again.
    work.step(now);
    assert_eq!(double.took(), [told(&[("T0", 10)]), told(&[("T1", 50)])]);
    let look = figures.look(now);
    assert_eq!((look.conflated, look.lag_nanoseconds), (9, 0));
}

#[test]
fn another_program_is_told_of_once_while_it_is_there() {
    let (mut work, ..) = work(1);
    let now = Instant::now();
    for (after, news) in [(0, true), (1, false), (10, false), (19, false), (29, true), (30, false)] {
        assert_eq!(work.another_is_news(now + Duration::from_secs(after)), news, "after {after} s");
    }
}

#[test]
fn what_is_too_old_is_not_told_any_more() {
    let (mut work, pen, double, _) = work(1);
    write(&pen, 0, 1);
    let late = Instant::now() + TTL;
    work.step(late);
    assert_eq!(double.took(), [told(&[])]);
    write(&pen, 0, 2);
    work.step(Instant::now());
    assert_eq!(double.took(), [told(&[("T0", 2)])]);
}

#[test]
fn more_symbols_than_a_batch_takes_have_their_turn() {
    let (mut work, pen, double, _) = work(MOST_IN_BATCH + 2);
    let now = Instant::now();
    for place in 0..MOST_IN_BATCH + 2 {
        write(&pen, place as u32, 1);
    }
    assert_eq!(work.step(now), Duration::ZERO, "there is more");
    // The first ones move all the time: the last ones come first all the same.
    write(&pen, 0, 2);
    assert_eq!(work.step(now), LOOK_EVERY);
    let took = double.took();
    assert_eq!((took[0].len(), took[1].len()), (MOST_IN_BATCH, 3));
    let last = format!("T{}", MOST_IN_BATCH + 1);
    assert_eq!(took[1], told(&[(&format!("T{MOST_IN_BATCH}"), 1), (&last, 1), ("T0", 2)]));
}

/// Waits until something is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < end, "it never came to this: {what}");
        std::thread::yield_now();
    }
}

struct Live {
    server: RedisServer,
    pen: Pen,
    publisher: Publisher,
}

impl Live {
    fn start(symbols: usize) -> Option<Self> {
        let server = RedisServer::start_with(&["--maxmemory-policy", "noeviction"])?;
        let settings = RedisSettings { answer_limit: Duration::from_millis(200), ..server.settings("this") };
        let to = RedisQuotes::open(&settings).expect("settings that can be used");
        let (quotes, pen) = slots(symbols);
        let publisher = Publisher::start(quotes, Box::new(to), 7).expect("a thread");
        Some(Self { server, pen, publisher })
    }

    fn look(&self) -> Publication {
        self.publisher.figures().look(Instant::now())
    }

    /// The price that the server shows.
    fn shown(&self, place: u32) -> Option<i64> {
        let text: Option<String> = self.server.ask(&format!("HGET pregao:quote:T{place} last"));
        text.map(|text| text.parse::<Price>().expect("a price").steps())
    }

    fn until_shown(&self, place: u32, price: i64) {
        until(&format!("T{place} at {price}"), || self.shown(place) == Some(price));
    }

    fn fails(&self) {
        let before = self.look().failed;
        until("a failure", || self.look().failed > before);
    }
}

#[test]
fn a_server_that_stands_still_holds_up_no_write_and_gets_the_newest_of_each() {
    let Some(live) = Live::start(3) else { return };
    write(&live.pen, 0, 1);
    live.until_shown(0, 1);
    live.server.pause();
    write(&live.pen, 1, 1);
    live.fails();
    // A hundred thousand quotes while nothing answers: every write is there at once, in its order, and nothing
    // waits but the newest of each symbol.
    for price in 2..=100_000 {
        write(&live.pen, 0, price);
        assert_eq!(live.pen.quotes().version(0), price.unsigned_abs());
        let (version, fresh) = live.pen.quotes().read(0).expect("a quote");
        assert_eq!((version, fresh.quote.last.steps()), (price.unsigned_abs(), price));
    }
    assert_eq!(live.look().published, 1);
    live.fails();
    assert!(live.look().lag_nanoseconds > 0);
    live.server.go_on();
    live.until_shown(0, 100_000);
    live.until_shown(1, 1);
    // One of them may have been on its way when the server stood still.
    until("all counted", || live.look().conflated >= 99_997);
    assert!(live.look().published < 100, "{:?}", live.look());
}

#[test]
fn a_server_that_is_killed_wiped_or_full_gets_everything_again() {
    let Some(mut live) = Live::start(2) else { return };
    let all = |live: &Live, quiet: i64, moving: i64| {
        live.until_shown(0, quiet);
        live.until_shown(1, moving);
    };
    write(&live.pen, 0, 7);
    write(&live.pen, 1, 1);
    all(&live, 7, 1);
    live.server.ask::<()>("FLUSHALL");
    // Without a new quote of either.
    all(&live, 7, 1);
    live.server.kill();
    live.fails();
    write(&live.pen, 1, 2);
    live.server.start_again();
    all(&live, 7, 2);
    live.server.ask::<()>("CONFIG SET maxmemory 1");
    write(&live.pen, 1, 3);
    live.fails();
    assert_eq!((live.shown(0), live.shown(1)), (Some(7), Some(2)));
    live.server.ask::<()>("CONFIG SET maxmemory 0");
    all(&live, 7, 3);
    until("nothing waits", || live.look().lag_nanoseconds == 0);
}
