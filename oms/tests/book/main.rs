//! The book of an account, told the way a trader tells it, and against a naive model of itself.

mod answers;
mod busts;
mod days;
mod external;
mod machine;
mod model;
mod money;
mod order_of_reports;
mod reconcile;
mod reconcile_broker;
mod scenario;
mod stored;
