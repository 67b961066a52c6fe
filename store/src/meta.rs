//! Small named values that belong to a store as a whole.

use crate::error::StoreError;

/// Named texts.
pub trait MetaStore: Send {
    /// The value under this key, if any.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn meta(&self, key: &str) -> Result<Option<String>, StoreError>;

    /// Sets the value under this key; durable when this returns.
    ///
    /// # Errors
    /// If it is not certain to be durable.
    fn set_meta(&mut self, key: &str, value: &str) -> Result<(), StoreError>;
}
