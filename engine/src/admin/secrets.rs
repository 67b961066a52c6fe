//! Client secrets: made here, shown once, kept as an argon2id hash.
//!
//! Hashing is made to be slow, so it is bounded: one at a time, on a thread of its own, with a short
//! queue. A flood of guesses fills the queue and nothing else. A client that does not exist costs as
//! much as one that does.

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::Semaphore;

/// 256 bits: nobody guesses one.
const SECRET_BYTES: usize = 32;
/// What RFC 9106 recommends.
const SALT_BYTES: usize = 16;
/// Longer ones are not ours, and are not hashed.
const LONGEST_SECRET: usize = 256;
/// Guesses that wait their turn; whoever comes after is sent away.
const MOST_WAITING: usize = 16;
/// The longest that one waits: a hash takes some 50 ms.
const PATIENCE: Duration = Duration::from_secs(5);

/// A secret cannot be made or hashed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no secret can be made: {0}")]
pub struct SecretError(String);

/// A fresh secret. The prefix lets scanners find one that leaked.
///
/// # Errors
/// The system gives no randomness.
pub fn generate() -> Result<String, SecretError> {
    Ok(format!("pregao_{}", URL_SAFE_NO_PAD.encode(random::<SECRET_BYTES>()?)))
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES], SecretError> {
    let mut bytes = [0; BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| SecretError("the system gives no random bytes".to_owned()))?;
    Ok(bytes)
}

/// The hash to keep, as a PHC string. Argon2id with the parameters that OWASP recommends: 19 MiB, two
/// passes, one lane.
///
/// # Errors
/// The system gives no randomness.
pub fn hash(secret: &str) -> Result<String, SecretError> {
    let salt = random::<SALT_BYTES>()?;
    let hash: PasswordHash = Argon2::default()
        .hash_password_with_salt(secret.as_bytes(), &salt)
        .map_err(|error| SecretError(error.to_string()))?;
    Ok(hash.to_string())
}

/// Whether the secret has that hash. Takes as long for a wrong one as for the right one.
pub fn matches(secret: &str, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    secret.len() <= LONGEST_SECRET && Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok()
}

/// Why a guess was not looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Busy;

/// Looks at one guess after another.
pub struct Guesses {
    turn: Semaphore,
    waiting: Semaphore,
    /// What clients that do not exist are compared with.
    nobody: Arc<str>,
}

impl Guesses {
    /// None yet.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn new() -> Result<Self, SecretError> {
        let nobody = hash(&generate()?)?.into();
        Ok(Self { turn: Semaphore::new(1), waiting: Semaphore::new(MOST_WAITING), nobody })
    }

    /// Whether a client's secret is right, with whatever `also` says once it is this guess's turn: what
    /// counts failures must be asked when no other guess is under way, or many at once would all pass it.
    /// `judged` hears the verdict before the next guess has its turn.
    ///
    /// # Errors
    /// Too many are waiting.
    pub async fn look<T: Send + 'static>(
        &self,
        secret: String,
        hash: Option<String>,
        also: impl FnOnce() -> Result<(), T>,
        judged: impl FnOnce(bool),
    ) -> Result<Result<bool, T>, Busy> {
        let _place = self.waiting.try_acquire().map_err(|_| Busy)?;
        let turn = tokio::time::timeout(PATIENCE, self.turn.acquire()).await;
        let _turn = turn.ok().and_then(Result::ok).ok_or(Busy)?;
        if let Err(refused) = also() {
            return Ok(Err(refused));
        }
        let (known, against) = (hash.is_some(), hash.unwrap_or_else(|| self.nobody.to_string()));
        let looked = tokio::task::spawn_blocking(move || matches(&secret, &against)).await;
        let right = known && looked.unwrap_or(false);
        judged(right);
        Ok(Ok(right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_itself_matches() {
        let secret = generate().unwrap();
        let kept = hash(&secret).unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(matches(&secret, &kept));
        for wrong in ["", "pregao_", &secret.to_uppercase(), &format!("{secret} "), &"x".repeat(5_000)] {
            assert!(!matches(wrong, &kept), "{wrong}");
        }
        assert!(!matches(&secret, "not a hash") && !matches(&secret, "$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_ne!(kept, hash(&secret).unwrap(), "every hash has a salt of its own");
    }

    #[tokio::test]
    async fn a_client_that_does_not_exist_never_matches() {
        let guesses = Guesses::new().unwrap();
        let looked = guesses.look("anything".to_owned(), None, || Ok::<_, ()>(()), |right| assert!(!right)).await;
        assert_eq!(looked, Ok(Ok(false)));
        let refused = guesses.look("anything".to_owned(), None, || Err("locked"), |_| panic!("not looked at")).await;
        assert_eq!(refused, Ok(Err("locked")));
    }
}
