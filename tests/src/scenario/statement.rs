//! What the broker states, told in words: one `stated …` line after the other, until `statement`.

use market::{
    ClientOrderId, ExecutionId, InstrumentId, OrderReference, Price, Quantity, Side, StatedExecution, StatedOrder,
    StatedStatus, Statement, Timestamp,
};
use oms::Order;

use super::stage::Stage;
use super::words::{Words, side};

/// Sequence of an order under our name that no journal knows.
const STRAY_SEQUENCE: u32 = 900_000;

/// A statement that says nothing: no orders, no executions, no positions.
pub(super) fn nothing(at: Timestamp, since: Timestamp) -> Statement {
    Statement {
        at,
        since,
        orders: Vec::new(),
        executions: Vec::new(),
        revoked: Vec::new(),
        positions: Vec::new(),
        elsewhere: Vec::new(),
    }
}

/// Adds one line to the statement.
pub(super) fn stated(stage: &Stage, statement: &mut Statement, words: &mut Words<'_>) -> Result<(), String> {
    match words.next("what is stated")? {
        "nothing" => {}
        "execution" => {
            let execution_id = ExecutionId::new(words.next("the name of the execution")?);
            words.skip("of")?;
            let order = named(stage, words.next("the name of an order")?)?;
            let quantity = words.read("a quantity")?;
            words.skip("@")?;
            statement.executions.push(StatedExecution {
                execution_id,
                reference: OrderReference::Own(order.intent.client_order_id),
                instrument: order.intent.instrument,
                side: order.intent.side,
                price: words.read("a price")?,
                quantity,
                at: stage.now(),
            });
        }
        "revoked" => statement.revoked.push(ExecutionId::new(words.next("the name of an execution")?)),
        "position" => {
            let instrument = stage.instrument(words.next("a symbol")?)?;
            statement.positions.push((instrument, words.read("a quantity")?));
        }
        "external" => match words.next("'order' or 'execution'")? {
            "order" => {
                let reference = OrderReference::External(words.next("the broker's name of it")?.to_owned());
                statement.orders.push(others(stage, reference, words)?);
            }
            "execution" => statement.executions.push(external(stage, words)?),
            other => return Err(format!("'{other}' is neither order nor execution")),
        },
        "stray" => {
            words.skip("order")?;
            let id = ClientOrderId::new(stage.account(), stage.now().local_date(), STRAY_SEQUENCE);
            let reference = OrderReference::Own(id.map_err(|error| error.to_string())?);
            statement.orders.push(others(stage, reference, words)?);
        }
        "all" => {
            ["else", "as", "known"].iter().try_for_each(|word| words.skip(word))?;
            all_else(stage, statement);
        }
        name => {
            let order = own(named(stage, name)?, words)?;
            statement.orders.push(order);
        }
    }
    Ok(())
}

/// `H7 buy 100 PETR4 @ 38.10`: an execution of another hand's order.
pub(super) fn external(stage: &Stage, words: &mut Words<'_>) -> Result<StatedExecution, String> {
    let name = words.next("the broker's name of the execution")?;
    let (side, quantity, instrument) = trade(stage, words)?;
    words.skip("@")?;
    Ok(StatedExecution {
        execution_id: ExecutionId::new(name),
        reference: OrderReference::External(format!("order of {name}")),
        instrument,
        side,
        price: words.read("a price")?,
        quantity,
        at: stage.now(),
    })
}

fn named<'a>(stage: &'a Stage, name: &str) -> Result<&'a Order, String> {
    stage.named(name).ok_or_else(|| format!("there is no order '{name}'"))
}

/// `buy 100 PETR4`.
fn trade(stage: &Stage, words: &mut Words<'_>) -> Result<(Side, Quantity, InstrumentId), String> {
    let side = side(words)?;
    Ok((side, words.read("a quantity")?, stage.instrument(words.next("a symbol")?)?))
}

/// `buy 100 PETR4 @ 38.10`: an open order that is not in our book.
fn others(stage: &Stage, reference: OrderReference, words: &mut Words<'_>) -> Result<StatedOrder, String> {
    let (side, quantity, instrument) = trade(stage, words)?;
    words.skip("@")?;
    let limit_price = Some(words.read("a price")?);
    let (cumulative, status) = (Quantity::ZERO, StatedStatus::Open);
    Ok(StatedOrder { reference, instrument, side, quantity, limit_price, cumulative, status })
}

/// `open 200 of 300 @ 38.10`: 200 of 300 are still open. `filled`, `canceled`, `expired`,
/// `rejected`, each with `traded 100` or without; of these quantity and price are our own order's.
fn own(order: &Order, words: &mut Words<'_>) -> Result<StatedOrder, String> {
    let mut stated = StatedOrder {
        reference: OrderReference::Own(order.intent.client_order_id),
        instrument: order.intent.instrument,
        side: order.intent.side,
        quantity: order.quantity,
        limit_price: order.order_type.limit_price(),
        cumulative: Quantity::ZERO,
        status: StatedStatus::Open,
    };
    stated.status = match words.next("how the order stands")? {
        "open" => {
            let left: Quantity = words.read("a quantity")?;
            words.skip("of")?;
            stated.quantity = words.read("a quantity")?;
            stated.cumulative = stated.quantity - left;
            if words.skip_if("@") {
                stated.limit_price = Some(words.read::<Price>("a price")?);
            }
            return Ok(stated);
        }
        "filled" => {
            stated.cumulative = stated.quantity;
            StatedStatus::Filled
        }
        "canceled" => StatedStatus::Canceled,
        "expired" => StatedStatus::Expired,
        "rejected" => StatedStatus::Rejected,
        other => return Err(format!("'{other}' is not how an order stands")),
    };
    if words.skip_if("traded") {
        stated.cumulative = words.read("a quantity")?;
    }
    Ok(stated)
}

/// Everything that has not been mentioned, as our own book has it: the broker agrees on it. It cannot
/// have heard of an order that has not left.
fn all_else(stage: &Stage, statement: &mut Statement) {
    let book = stage.book();
    for order in stage.orders() {
        let reference = OrderReference::Own(order.intent.client_order_id);
        let status = match order.status {
            oms::OrderStatus::Filled => StatedStatus::Filled,
            oms::OrderStatus::Canceled => StatedStatus::Canceled,
            oms::OrderStatus::Expired => StatedStatus::Expired,
            oms::OrderStatus::Rejected => StatedStatus::Rejected,
            _ => StatedStatus::Open,
        };
        if !statement.orders.iter().any(|stated| stated.reference == reference) {
            statement.orders.push(StatedOrder {
                reference: reference.clone(),
                instrument: order.intent.instrument,
                side: order.intent.side,
                quantity: order.quantity,
                limit_price: order.order_type.limit_price(),
                cumulative: order.cumulative,
                status,
            });
        }
        let stands = book.executions_of(&order.intent.client_order_id).filter(|(_, stands)| *stands);
        for (execution, _) in stands {
            let execution_id = execution.execution_id.clone();
            let mentioned = statement.executions.iter().any(|stated| stated.execution_id == execution_id)
                || statement.revoked.contains(&execution_id);
            if !mentioned {
                statement.executions.push(StatedExecution {
                    execution_id,
                    reference: reference.clone(),
                    instrument: order.intent.instrument,
                    side: order.intent.side,
                    price: execution.price,
                    quantity: execution.quantity,
                    at: execution.at,
                });
            }
        }
    }
    for index in 0..book.instruments() {
        let id = InstrumentId::new(u32::try_from(index).unwrap_or(u32::MAX));
        let held = book.position(id).quantity + book.external(id);
        if !held.is_zero() && !statement.positions.iter().any(|(stated, _)| *stated == id) {
            statement.positions.push((id, held));
        }
    }
}
