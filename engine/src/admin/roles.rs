//! Who may do what: three roles, each of which may also do what the one before it may.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What somebody may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// See everything, change nothing.
    Viewer,
    /// Also stop, resume, close positions, reload.
    Operator,
    /// Also change the configuration and who else has access.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// Its word in tokens, tables and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Whether it may do what asks for `needed`.
    pub fn covers(self, needed: Self) -> bool {
        self >= needed
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No role has that name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("'{0}' is no role; write viewer, operator or admin")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == word).ok_or_else(|| UnknownRole(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_may_do_what_lesser_roles_may() {
        for (place, role) in Role::ALL.into_iter().enumerate() {
            assert_eq!(role.name().parse(), Ok(role));
            for (other, needed) in Role::ALL.into_iter().enumerate() {
                assert_eq!(role.covers(needed), place >= other, "{role} for {needed}");
            }
        }
        assert!("root".parse::<Role>().is_err() && "Admin".parse::<Role>().is_err());
    }
}
