//! Where an actor can be reached, across its restarts.
//!
//! A supervisor that restarts an actor gets a new reference; everybody else keeps the same
//! `Address`. Mailboxes of ractor are unbounded, so the address counts what waits in one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwapOption;
use ractor::{ActorRef, Message};

use crate::measures::{Busy, Kind, Measures, SAMPLE, Sample};

/// An actor's address. Copies are the same address.
pub struct Address<M: Message>(Arc<Inner<M>>);

struct Inner<M: Message> {
    name: String,
    target: ArcSwapOption<ActorRef<M>>,
    sent: AtomicU64,
    handled: AtomicU64,
    kind: Kind,
    measures: Arc<Measures>,
    sample: Sample,
}

/// The actor is not running, so the message went nowhere.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("actor '{0}' is not running")]
pub struct Gone(String);

impl<M: Message> Clone for Address<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: Message> fmt::Debug for Address<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.0.name)
    }
}

impl<M: Message> Address<M> {
    /// The address of an actor that is still to be started, of whose measures nobody asks.
    pub fn new(name: impl Into<String>) -> Self {
        Self::measured(name, &Arc::default())
    }

    /// The address of an actor that is still to be started. Its kind is the first word of its name.
    pub fn measured(name: impl Into<String>, measures: &Arc<Measures>) -> Self {
        let name = name.into();
        Self(Arc::new(Inner {
            kind: Kind::of(&name),
            measures: Arc::clone(measures),
            sample: Sample::default(),
            name,
            target: ArcSwapOption::empty(),
            sent: AtomicU64::new(0),
            handled: AtomicU64::new(0),
        }))
    }

    /// The actor's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The actor lives here now. What waited in the mailbox of its predecessor is gone.
    pub(crate) fn bind(&self, target: ActorRef<M>) {
        self.0.handled.store(self.0.sent.load(Ordering::Relaxed), Ordering::Relaxed);
        self.0.target.store(Some(Arc::new(target)));
    }

    /// Puts a message into the actor's mailbox.
    ///
    /// # Errors
    /// The actor is not running; the message is dropped.
    #[inline]
    pub fn send(&self, message: M) -> Result<(), Gone> {
        let target = self.0.target.load();
        let target = target.as_ref().ok_or_else(|| Gone(self.0.name.clone()))?;
        let number = self.0.sent.fetch_add(1, Ordering::Relaxed) + 1;
        self.0.sample.sent(number);
        target.send_message(message).map_err(|_| {
            self.0.handled.fetch_add(1, Ordering::Relaxed);
            Gone(self.0.name.clone())
        })
    }

    /// The actor took a message out of its mailbox; it is busy with it until what this returns is dropped.
    #[inline]
    pub(crate) fn took(&self) -> Busy {
        let inner = &self.0;
        let number = inner.handled.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(waited) = inner.sample.took(number) {
            inner.measures.kind(inner.kind).delay.time(waited);
        }
        let sampled = number.is_multiple_of(SAMPLE);
        Busy(sampled.then(|| (Arc::clone(&inner.measures), inner.kind, Instant::now())))
    }

    /// Where the run's times are counted.
    #[inline]
    pub(crate) fn measures(&self) -> &Measures {
        &self.0.measures
    }

    /// Messages that wait in the mailbox.
    pub fn depth(&self) -> u64 {
        let handled = self.0.handled.load(Ordering::Relaxed);
        self.0.sent.load(Ordering::Relaxed).saturating_sub(handled)
    }
}
