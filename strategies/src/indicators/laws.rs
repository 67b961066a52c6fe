//! What holds for every indicator, whatever it computes. Agreement with TA-Lib is tested apart, in
//! `tests/indicator_parity.rs`.

use proptest::prelude::*;

use super::*;

/// The numbers in an output, so that one law covers one line or three.
trait Numbers: Copy + PartialEq + std::fmt::Debug {
    fn numbers(self) -> Vec<f64>;
}
impl Numbers for f64 {
    fn numbers(self) -> Vec<f64> {
        vec![self]
    }
}
impl Numbers for MacdLines {
    fn numbers(self) -> Vec<f64> {
        vec![self.macd, self.signal, self.histogram]
    }
}
impl Numbers for Bands {
    fn numbers(self) -> Vec<f64> {
        vec![self.upper, self.middle, self.lower]
    }
}
impl Numbers for StochasticLines {
    fn numbers(self) -> Vec<f64> {
        vec![self.k, self.d]
    }
}

/// Inputs that no feed should let through.
trait Unusable: Observation {
    fn unusable() -> Vec<Self>;
}
impl Unusable for f64 {
    fn unusable() -> Vec<f64> {
        vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 2e15, -2e15]
    }
}
impl Unusable for Candle {
    fn unusable() -> Vec<Candle> {
        let good = Candle { high: 12.0, low: 10.0, close: 11.0, volume: 100.0 };
        let mut bad = vec![
            Candle { high: 10.5, ..good }, // below the close
            Candle { low: 11.5, ..good },  // above the close
            Candle { low: 0.0, ..good },
            Candle { low: -1.0, ..good },
            Candle { volume: -1.0, ..good },
        ];
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 2e15] {
            bad.push(Candle { high: value, ..good });
            bad.push(Candle { low: value, ..good });
            bad.push(Candle { close: value, ..good });
            bad.push(Candle { volume: value, ..good });
        }
        bad
    }
}

trait Law {
    fn check<I>(&mut self, name: &'static str, indicator: I, inputs: &[I::Input])
    where
        I: Indicator<Input: Unusable, Output: Numbers> + Clone;
}

/// Puts every indicator there is before the law, with periods derived from `n`.
fn every_indicator(n: usize, candles: &[Candle], law: &mut impl Law) {
    let closes: Vec<f64> = candles.iter().map(|candle| candle.close).collect();
    let c = closes.as_slice();
    law.check("SMA", Sma::new(n).unwrap(), c);
    law.check("EMA", Ema::new(n).unwrap(), c);
    law.check("WMA", Wma::new(n).unwrap(), c);
    law.check("KAMA", Kama::new(n).unwrap(), c);
    law.check("MACD", Macd::new(n, 2 * n, n).unwrap(), c);
    law.check("TRIX", Trix::new(n).unwrap(), c);
    law.check("RSI", Rsi::new(n).unwrap(), c);
    law.check("CMO", Cmo::new(n).unwrap(), c);
    law.check("ROC", Roc::new(n).unwrap(), c);
    law.check("MOM", Momentum::new(n).unwrap(), c);
    law.check("TRANGE", TrueRange::new(), candles);
    law.check("ATR", Atr::new(n).unwrap(), candles);
    law.check("NATR", Natr::new(n).unwrap(), candles);
    law.check("STDDEV", StandardDeviation::new(n).unwrap(), c);
    law.check("BBANDS", Bollinger::new(n, 2.0).unwrap(), c);
    law.check("MAX", Highest::new(n).unwrap(), c);
    law.check("MIN", Lowest::new(n).unwrap(), c);
    law.check("AROONOSC", AroonOscillator::new(n).unwrap(), candles);
    law.check("STOCHF", FastStochastic::new(n, 3).unwrap(), candles);
    law.check("STOCH", Stochastic::new(n, 3, 3).unwrap(), candles);
    law.check("WILLR", WilliamsR::new(n).unwrap(), candles);
    law.check("CCI", Cci::new(n).unwrap(), candles);
    law.check("PLUS_DI", PlusDi::new(n).unwrap(), candles);
    law.check("MINUS_DI", MinusDi::new(n).unwrap(), candles);
    law.check("ADX", Adx::new(n).unwrap(), candles);
    law.check("OBV", Obv::new(), candles);
    law.check("AD", AccumulationDistribution::new(), candles);
    law.check("ADOSC", ChaikinOscillator::new(n, 2 * n).unwrap(), candles);
    law.check("MFI", Mfi::new(n).unwrap(), candles);
    law.check("SAR", ParabolicSar::new(0.02, 0.2).unwrap(), candles);
}

/// A seeded market around 30.00 in ticks of 0.01, halted for a while now and then.
fn market(bars: usize) -> Vec<Candle> {
    let mut state = 20_261_119_u64;
    let mut uniform = move || {
        // Knuth's MMIX generator; the upper bits are good enough here.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let tick = |price: f64| (price * 100.0).round() / 100.0;
    let mut log_price = 0.0_f64;
    let mut close = 30.0;
    let mut halted = 0;
    (0..bars)
        .map(|_| {
            if halted == 0 && uniform() < 0.002 {
                halted = 1 + (uniform() * 60.0) as u32;
            }
            if halted > 0 {
                halted -= 1;
                return Candle { high: close, low: close, close, volume: 0.0 };
            }
            let open = close;
            log_price = 0.999 * log_price + 0.04 * (uniform() - 0.5);
            close = tick(30.0 * log_price.exp());
            let wick = 0.4 * uniform();
            Candle {
                high: tick(open.max(close) + wick),
                low: tick(open.min(close) - 0.4 * uniform()),
                close,
                volume: (uniform() * 1e6).round(),
            }
        })
        .collect()
}

struct ReadyOnTime;
impl Law for ReadyOnTime {
    fn check<I>(&mut self, name: &'static str, indicator: I, inputs: &[I::Input])
    where
        I: Indicator<Input: Unusable, Output: Numbers> + Clone,
    {
        let first = indicator.first_bar();
        assert!(indicator.warm_up() > first, "{name}");
        let values = batch(indicator, inputs.iter().copied());
        let ready: Vec<bool> = values.iter().map(Option::is_some).collect();
        let expected: Vec<bool> = (0..inputs.len()).map(|bar| bar >= first).collect();
        assert_eq!(ready, expected, "{name}");
    }
}

struct IgnoresUnusable;
impl Law for IgnoresUnusable {
    fn check<I>(&mut self, name: &'static str, mut indicator: I, inputs: &[I::Input])
    where
        I: Indicator<Input: Unusable, Output: Numbers> + Clone,
    {
        let clean = batch(indicator.clone(), inputs.iter().copied());
        let mut before = None;
        for (input, expected) in inputs.iter().zip(clean) {
            for bad in I::Input::unusable() {
                assert_eq!(indicator.update(bad), before, "{name}");
            }
            before = indicator.update(*input);
            assert_eq!(before, expected, "{name}");
            assert_eq!(before, indicator.value(), "{name}");
        }
    }
}

struct ResetIsNew;
impl Law for ResetIsNew {
    fn check<I>(&mut self, name: &'static str, indicator: I, inputs: &[I::Input])
    where
        I: Indicator<Input: Unusable, Output: Numbers> + Clone,
    {
        let fresh = batch(indicator.clone(), inputs.iter().copied());
        for used_for in [1, 7, 50, inputs.len()] {
            let mut used = indicator.clone();
            for input in &inputs[..used_for] {
                used.update(*input);
            }
            used.reset();
            assert_eq!(used.value(), None, "{name}");
            let again: Vec<_> = inputs.iter().map(|input| used.update(*input)).collect();
            assert!(again == fresh, "{name} after {used_for} bars");
        }
    }
}

struct AlwaysFinite;
impl Law for AlwaysFinite {
    fn check<I>(&mut self, name: &'static str, indicator: I, inputs: &[I::Input])
    where
        I: Indicator<Input: Unusable, Output: Numbers> + Clone,
    {
        for (bar, value) in batch(indicator, inputs.iter().copied()).iter().enumerate() {
            let finite = value.is_none_or(|v| v.numbers().iter().all(|n| n.is_finite()));
            assert!(finite, "{name}, bar {bar}: {value:?}");
        }
    }
}

/// The levels of these two are sums since the first bar, by definition.
const CUMULATIVE: [&str; 2] = ["OBV", "AD"];

/// After all of `inputs`, compares with a new indicator that saw only the end.
struct NoDrift {
    tolerance: f64,
}
impl Law for NoDrift {
    fn check<I>(&mut self, name: &'static str, indicator: I, inputs: &[I::Input])
    where
        I: Indicator<Input: Unusable, Output: Numbers> + Clone,
    {
        if CUMULATIVE.contains(&name) {
            return;
        }
        // A window needs exactly itself. A recursion gets time to forget its start to the last
        // digits, so that what is left is rounding.
        let plain_window = indicator.warm_up() == indicator.first_bar() + 1;
        let history = indicator.warm_up() * if plain_window { 1 } else { 20 };
        let end = &inputs[inputs.len() - history..];
        let fresh = batch(indicator.clone(), end.iter().copied());
        let (mut old, mut last) = (indicator, None);
        for input in inputs {
            last = old.update(*input);
        }
        let old = last.expect(name).numbers();
        let new = fresh[history - 1].expect(name).numbers();
        for (old, new) in old.iter().zip(new) {
            let drift = (old - new).abs() / new.abs().max(1.0);
            assert!(drift <= self.tolerance, "{name}: {old} after all, {new} afresh");
        }
    }
}

/// What is left of the choice of first bar after a given history, in percent of the mean absolute
/// value: the worst of many bars.
struct WarmUp {
    report: String,
}
impl WarmUp {
    const HISTORIES: [usize; 5] = [199, 399, 499, 999, 1_999];
    const FULL: usize = 6_000;
    const ACCEPTED_PERCENT: f64 = 0.1;
}
impl Law for WarmUp {
    fn check<I>(&mut self, name: &'static str, indicator: I, inputs: &[I::Input])
    where
        I: Indicator<Input: Unusable, Output: Numbers> + Clone,
    {
        if CUMULATIVE.contains(&name) {
            return;
        }
        let full = batch(indicator.clone(), inputs.iter().copied());
        let at = |bar: usize, history: usize| -> Vec<f64> {
            let mut fresh = indicator.clone();
            let mut last = None;
            for input in &inputs[bar + 1 - history..=bar] {
                last = fresh.update(*input);
            }
            last.expect(name).numbers()
        };
        let bars: Vec<usize> = (2_000..inputs.len()).step_by(101).collect();
        let reference = |bar: usize| full[bar].expect(name).numbers();
        let scale: f64 = bars.iter().map(|bar| reference(*bar)[0].abs()).sum::<f64>() / bars.len() as f64;
        let percent = |history: usize| {
            let worst = bars.iter().flat_map(|bar| {
                let (short, long) = (at(*bar, history), reference(*bar));
                short.into_iter().zip(long).map(|(s, l)| (s - l).abs())
            });
            100.0 * worst.fold(0.0, f64::max) / scale
        };
        self.report += &format!("{name:>9} {:>5}", indicator.warm_up());
        for history in Self::HISTORIES {
            self.report += &format!(" {:>9.2e}", percent(history));
        }
        let declared = percent(indicator.warm_up());
        self.report += &format!(" {declared:>9.2e}\n");
        assert!(
            declared <= Self::ACCEPTED_PERCENT,
            "{name}: {declared} % off after its declared warm-up\n{}",
            self.report
        );
    }
}

#[test]
fn the_first_value_comes_exactly_on_time() {
    for n in [1, 2, 5, 14, 20] {
        every_indicator(n, &market(200), &mut ReadyOnTime);
    }
}

#[test]
fn unusable_inputs_leave_no_trace() {
    every_indicator(5, &market(100), &mut IgnoresUnusable);
}

#[test]
fn a_reset_indicator_is_a_new_one() {
    for n in [1, 5, 14] {
        every_indicator(n, &market(200), &mut ResetIsNew);
    }
}

#[test]
fn a_million_bars_leave_no_drift() {
    every_indicator(14, &market(1_000_000), &mut NoDrift { tolerance: 1e-9 });
}

/// `cargo test -p strategies warm_up -- --nocapture` prints the table.
#[test]
fn the_declared_warm_up_is_enough() {
    let mut law = WarmUp {
        report: format!("drift in % after a history of {:?} bars and of the declared warm-up\n", WarmUp::HISTORIES),
    };
    every_indicator(14, &market(WarmUp::FULL), &mut law);
    eprintln!("{}", law.report);
}

/// One to forty bars: moving ones of any size a float takes, or a halt.
fn stretch() -> impl Strategy<Value = Vec<Candle>> {
    let price = prop_oneof![
        4 => 0.01..1_000.0_f64,
        1 => (-320.0..15.0_f64).prop_map(|exponent| 10.0_f64.powf(exponent)),
        1 => Just(MAX_INPUT),
        1 => Just(f64::MIN_POSITIVE),
    ]
    .boxed();
    let volume = prop_oneof![Just(0.0), 0.0..1e9_f64, Just(MAX_INPUT)];
    let bar = ([price.clone(), price.clone(), price.clone()], volume).prop_map(|(mut prices, volume)| {
        prices.sort_by(f64::total_cmp);
        let [low, close, high] = prices;
        Candle { high, low, close, volume }
    });
    let halt = (price, 1_usize..40).prop_map(|(price, bars)| {
        let flat = Candle { high: price, low: price, close: price, volume: 0.0 };
        vec![flat; bars]
    });
    prop_oneof![prop::collection::vec(bar, 1..40), halt]
}

proptest! {
    #[test]
    fn no_market_makes_an_indicator_blow_up(
        n in 1_usize..16,
        stretches in prop::collection::vec(stretch(), 1..8),
    ) {
        let candles: Vec<Candle> = stretches
            .concat()
            .into_iter()
            .filter(Observation::is_usable) // 10^-320 may round to zero
            .collect();
        every_indicator(n, &candles, &mut AlwaysFinite);
    }
}
