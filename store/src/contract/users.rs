//! What [`Users`] owe.

use market::Timestamp;

use super::{Contract, Make, refused};
use crate::error::StoreError;
use crate::users::{LONGEST_CLIENT_ID, SecretHash, User, Users};

/// Every contract of users.
pub const ALL: &[Contract<dyn Users>] = &[
    ("users survive, by name", users_survive),
    ("a name is taken once", a_name_is_taken_once),
    ("a secret is rotated, a role changed, a user disabled", users_change),
    ("nobody unknown is changed", nobody_unknown_is_changed),
    ("names and roles are visible words", names_are_words),
];

/// A PHC string such as argon2 makes.
pub const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$\
                        TvDKzCSoU5kUTnvlMQ9nb1RQa9Y7qsRkVKOX0yRzX3A";

/// A user of this name.
pub fn user(client_id: &str) -> User {
    let hash = SecretHash::new(HASH).unwrap_or_else(|error| panic!("{error}"));
    User::new(client_id, "operator", hash, Timestamp::from_nanos(1_514_487_600_000_000_001))
}

fn other_hash() -> SecretHash {
    SecretHash::new(HASH.replace("TvDK", "AAAA")).unwrap_or_else(|error| panic!("{error}"))
}

fn users_survive(make: &Make<dyn Users>) -> Result<(), StoreError> {
    let mut users = make();
    assert_eq!((users.list()?, users.find("maria")?), (Vec::new(), None));
    for name in ["zeca", "Maria", "maria"] {
        users.create(&user(name))?;
    }
    drop(users);
    let users = make();
    // By bytes: capitals first, whatever a server's language would say.
    assert_eq!(users.list()?, ["Maria", "maria", "zeca"].map(user));
    assert_eq!(users.find("maria")?, Some(user("maria")));
    assert_eq!(users.find("MARIA")?, None);
    Ok(())
}

fn a_name_is_taken_once(make: &Make<dyn Users>) -> Result<(), StoreError> {
    let mut users = make();
    users.create(&user("maria"))?;
    users.create(&user("maria"))?;
    let other = User { role: "admin".to_owned(), ..user("maria") };
    let error = refused(users.create(&other));
    assert!(matches!(&error, StoreError::UserExists { client_id } if client_id == "maria"), "{error}");
    // Also after she has gone.
    users.disable("maria", Timestamp::from_nanos(5))?;
    refused(users.create(&other));
    assert_eq!(users.list()?.len(), 1);
    Ok(())
}

fn users_change(make: &Make<dyn Users>) -> Result<(), StoreError> {
    let mut users = make();
    users.create(&user("maria"))?;
    users.create(&user("zeca"))?;
    let (rotated, disabled) = (Timestamp::from_nanos(7), Timestamp::from_nanos(9));
    users.rotate("maria", &other_hash(), rotated)?;
    users.set_role("maria", "viewer")?;
    users.disable("maria", disabled)?;
    users.disable("maria", Timestamp::from_nanos(99))?;
    drop(users);
    let users = make();
    let changed = User {
        secret_hash: other_hash(),
        role: "viewer".to_owned(),
        rotated,
        disabled: Some(disabled),
        ..user("maria")
    };
    assert_eq!(users.list()?, [changed, user("zeca")]);
    Ok(())
}

fn nobody_unknown_is_changed(make: &Make<dyn Users>) -> Result<(), StoreError> {
    let mut users = make();
    users.create(&user("maria"))?;
    let at = Timestamp::from_nanos(7);
    let refusals =
        [users.rotate("joão", &other_hash(), at), users.disable("joão", at), users.set_role("joão", "admin")];
    for error in refusals.map(refused) {
        assert!(matches!(&error, StoreError::UserUnknown { client_id } if client_id == "joão"), "{error}");
    }
    assert_eq!(users.list()?, [user("maria")]);
    Ok(())
}

fn names_are_words(make: &Make<dyn Users>) -> Result<(), StoreError> {
    let mut users = make();
    let long = "x".repeat(LONGEST_CLIENT_ID + 1);
    for name in ["", "maria silva", "joão", "a\0b", "a\nb", &long] {
        let error = refused(users.create(&user(name))).to_string();
        assert!(error.contains("client id of a user cannot be stored exactly"), "{error}");
    }
    users.create(&user("maria"))?;
    for role in ["", "ad min", &long] {
        refused(users.set_role("maria", role));
        refused(users.create(&User { role: role.to_owned(), ..user("zeca") }));
    }
    assert_eq!(users.list()?, [user("maria")]);
    Ok(())
}
