//! What a [`MetaStore`] owes.

use super::{Contract, Make};
use crate::error::StoreError;
use crate::meta::MetaStore;

/// Every contract of a meta store.
pub const ALL: &[Contract<dyn MetaStore>] = &[("values are set, replaced and survive", values_survive)];

fn values_survive(make: &Make<dyn MetaStore>) -> Result<(), StoreError> {
    let mut meta = make();
    assert_eq!(meta.meta("colour")?, None);
    meta.set_meta("colour", "verde")?;
    meta.set_meta("colour", "amarelo 'x'")?;
    meta.set_meta("empty", "")?;
    drop(meta);
    let meta = make();
    assert_eq!(meta.meta("colour")?.as_deref(), Some("amarelo 'x'"));
    assert_eq!(meta.meta("empty")?.as_deref(), Some(""));
    assert_eq!(meta.meta("colou")?, None);
    Ok(())
}
