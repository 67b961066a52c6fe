//! Secrets never leave in what the program says: no table, log, error, JSON document or stored version shows
//! one. No key is meant to hold a secret, but people put them where they do not belong, and that is exactly
//! what an error message would quote.

/// What stands where a secret was.
pub const HIDDEN: &str = "***";

/// Words in the last part of a key's name that make its value a secret, wherever it stands and whether or not
/// the program knows the key.
const SECRET_NAMES: [&str; 9] =
    ["password", "passwd", "passphrase", "secret", "token", "credential", "private_key", "api_key", "webhook"];

/// What such a name ends with where its value only says where the secret is.
const PLACES: [&str; 4] = ["_file", "_files", "_path", "_directory"];

/// Names before an equals sign inside a value: of a URL's query, or of `host=… password=…`.
const PARAMETERS: [&str; 7] = ["password=", "passwd=", "pwd=", "secret=", "token=", "apikey=", "api_key="];

/// Whether the value of this key is a secret.
pub fn is_secret(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key).to_lowercase();
    SECRET_NAMES.iter().any(|word| name.contains(word)) && !PLACES.iter().any(|end| name.ends_with(end))
}

/// A value as it may be shown.
pub fn shown(key: &str, value: &str) -> String {
    if is_secret(key) { HIDDEN.to_owned() } else { scrubbed(value) }
}

/// A text about a value, without the value's secrets.
pub fn told(key: &str, value: &str, text: &str) -> String {
    // The value as a whole first: its parts may be found in it only.
    let text = text.replace(value, &shown(key, value));
    scrubbed(&text)
}

/// A text without passwords of URLs and of named parameters. What could be one goes: a text that shows too
/// little can be asked about.
pub fn scrubbed(text: &str) -> String {
    let text = without_parameters(text);
    let Some((before, rest)) = text.split_once("://") else { return text };
    // A password may hold anything if nobody encoded it, so it ends at the last @.
    let Some((user, after)) = rest.rsplit_once('@') else { return text };
    match user.split_once(':') {
        Some((name, _)) => format!("{before}://{name}:{HIDDEN}@{after}"),
        None => text,
    }
}

fn without_parameters(text: &str) -> String {
    // Lower-casing ASCII only: places in both texts are the same.
    let lower = text.to_ascii_lowercase();
    let mut shown = String::with_capacity(text.len());
    let mut place = 0;
    while let Some(start) = next_parameter(&lower, place) {
        shown.push_str(&text[place..start]);
        shown.push_str(HIDDEN);
        let rest = &text[start..];
        place = match rest.strip_prefix('\'') {
            Some(quoted) => start + 1 + quoted.find('\'').map_or(quoted.len(), |end| end + 1),
            None => start + rest.find(|end: char| end.is_whitespace() || end == '&').unwrap_or(rest.len()),
        };
    }
    shown.push_str(&text[place..]);
    shown
}

/// Where the next value of such a parameter begins.
fn next_parameter(lower: &str, from: usize) -> Option<usize> {
    let found = PARAMETERS.iter().filter_map(|name| Some(from + lower[from..].find(name)? + name.len()));
    found.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_by_their_keys() {
        for (key, secret) in [
            ("store.password", true),
            ("store.password_file", false),
            ("admin.PASSWORD", true),
            ("broker.api_key", true),
            ("notify.slack_webhook", true),
            ("notify.slack_webhook_file", false),
            ("admin.token_minutes", true),
            ("strategy[0].parameters.secret", true),
            ("passwords.colour", false),
            ("risk.max_order_quantity", false),
        ] {
            assert_eq!(is_secret(key), secret, "{key}");
        }
    }

    #[test]
    fn what_could_be_a_password_goes() {
        for (value, shown) in [
            ("postgres://pregao@localhost/pregao", "postgres://pregao@localhost/pregao"),
            ("postgres://pregao:hunter2@localhost/pregao", "postgres://pregao:***@localhost/pregao"),
            ("postgres://pregao:hun/t@er:2@localhost/x", "postgres://pregao:***@localhost/x"),
            (
                "postgres://h/x?user=a&password=hunter2&sslmode=disable",
                "postgres://h/x?user=a&password=***&sslmode=disable",
            ),
            ("host=/run user=a PASSWORD=hunter2 dbname=b", "host=/run user=a PASSWORD=*** dbname=b"),
            ("host=/run password='hun ter2' dbname=b", "host=/run password=*** dbname=b"),
            ("password='hun ter2", "password=***"),
            ("sslpassword=hunter2", "sslpassword=***"),
            ("https://hooks.example/x?token=hunter2", "https://hooks.example/x?token=***"),
            ("a text: with @ and ://", "a text: with @ and ://"),
            ("é://ü:hunter2@ö", "é://ü:***@ö"),
            ("", ""),
        ] {
            assert_eq!(scrubbed(value), shown, "{value}");
        }
    }

    #[test]
    fn a_message_does_not_quote_a_secret() {
        let message = "'hunter2' is not allowed: expected a number";
        assert_eq!(told("store.password", "hunter2", message), "'***' is not allowed: expected a number");
        assert_eq!(told("store.schema", "hunter2", message), message);
    }
}
