//! Reading configuration so that one start shows every mistake: each field that is missing, unknown or wrong is
//! written down, and reading goes on.

use std::{cell::RefCell, fmt, ops::RangeInclusive, str::FromStr};

use serde_json::{Map, Value};

use vocabulary::Quoted;

/// Everything that is wrong with one configuration, in the order in which it was found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Mistakes(RefCell<Vec<String>>);

impl Mistakes {
    /// Writes one down. `place` is the field's path, such as `resources[0].name`; empty for the whole.
    pub fn add(&self, place: &str, problem: impl fmt::Display) {
        let separator = if place.is_empty() { "" } else { ": " };
        self.0.borrow_mut().push(format!("{place}{separator}{problem}"));
    }

    /// Whether nothing was wrong.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// The value, unless something was wrong.
    ///
    /// # Errors
    /// Every mistake that was written down.
    pub fn or<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.0.borrow().is_empty() => Ok(value),
            _ => Err(self),
        }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.borrow().join("; "))
    }
}

impl std::error::Error for Mistakes {}

/// The fields of one object.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    map: &'a Map<String, Value>,
    place: &'a str,
    mistakes: &'a Mistakes,
}

impl<'a> Fields<'a> {
    /// The fields of `value`, which must be an object with none but the `known` ones.
    pub fn of(value: &'a Value, place: &'a str, known: &[&str], mistakes: &'a Mistakes) -> Option<Self> {
        let fields = Self::any(value, place, mistakes)?;
        for key in fields.map.keys().filter(|key| !known.contains(&key.as_str())) {
            let problem = format!("field {} is not known, only {}", Quoted(key), known.join(", "));
            mistakes.add(place, problem);
        }
        Some(fields)
    }

    /// The fields of `value`, which must be an object, whatever they are called.
    pub fn any(value: &'a Value, place: &'a str, mistakes: &'a Mistakes) -> Option<Self> {
        let Value::Object(map) = value else {
            mistakes.add(place, "must be an object");
            return None;
        };
        Some(Self { map, place, mistakes })
    }

    /// The path of one of the fields, for messages.
    pub fn place(&self, key: &str) -> String {
        if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) }
    }

    /// Writes down what is wrong with one field.
    pub fn mistake(&self, key: &str, problem: impl fmt::Display) {
        self.mistakes.add(&self.place(key), problem);
    }

    /// The raw value; nothing where it is absent or null.
    pub fn value(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// A text that means something; nothing, and a mistake, where it does not.
    pub fn optional<T>(&self, key: &str) -> Option<T>
    where
        T: FromStr<Err: fmt::Display>,
    {
        match self.value(key)? {
            Value::String(text) => text.parse().map_err(|error| self.mistake(key, error)).ok(),
            _ => self.wrong(key, "must be a text"),
        }
    }

    /// The same; being absent is a mistake too.
    pub fn required<T>(&self, key: &str) -> Option<T>
    where
        T: FromStr<Err: fmt::Display>,
    {
        if self.value(key).is_none() {
            return self.wrong(key, "is missing");
        }
        self.optional(key)
    }

    /// A whole number within limits.
    pub fn number(&self, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.value(key)?;
        match value.as_u64() {
            Some(number) if range.contains(&number) => Some(number),
            _ => {
                let (least, most) = range.into_inner();
                let shown = value.to_string();
                self.wrong(key, format!("{} must be a whole number from {least} to {most}", Quoted(&shown)))
            }
        }
    }

    /// A truth value.
    pub fn boolean(&self, key: &str) -> Option<bool> {
        let value = self.value(key)?;
        value.as_bool().or_else(|| self.wrong(key, "must be true or false"))
    }

    /// The items of a list; none where it is absent.
    pub fn list(&self, key: &str) -> &'a [Value] {
        match self.value(key) {
            None => &[],
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.mistake(key, "must be a list");
                &[]
            }
        }
    }

    fn wrong<T>(&self, key: &str, problem: impl fmt::Display) -> Option<T> {
        self.mistake(key, problem);
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use vocabulary::SocketMode;

    #[test]
    fn tells_every_mistake_with_its_place() {
        let value = json!({"mode": "both", "ports": 0, "on": 1, "more": [], "extra": null, "list": {}});
        let mistakes = Mistakes::default();
        let fields = Fields::of(&value, "r[0]", &["mode", "ports", "on", "list", "name"], &mistakes).unwrap();
        assert_eq!(fields.required::<SocketMode>("mode"), None);
        assert_eq!(fields.required::<SocketMode>("name"), None);
        assert_eq!(fields.number("ports", 1..=9), None);
        assert_eq!(fields.boolean("on"), None);
        assert!(fields.list("list").is_empty());
        assert_eq!(
            mistakes.or(Some(())).unwrap_err().to_string(),
            "r[0]: field 'extra' is not known, only mode, ports, on, list, name; r[0]: field 'more' is not known, only \
             mode, ports, on, list, name; r[0].mode: 'both' is not a valid socket mode: use 'server' (guest listens, switch \
             connects) or 'client' (guest connects, switch listens); r[0].name: is missing; r[0].ports: '0' must be a \
             whole number from 1 to 9; r[0].on: must be true or false; r[0].list: must be a list"
        );
    }

    #[test]
    fn reads_what_is_right() {
        let value = json!({"mode": "client", "ports": 3, "on": false, "list": [1], "none": null});
        let mistakes = Mistakes::default();
        let fields = Fields::of(&value, "", &["mode", "ports", "on", "list", "none"], &mistakes).unwrap();
        assert_eq!(fields.required("mode"), Some(SocketMode::Client));
        assert_eq!(fields.optional::<SocketMode>("none"), None);
        assert_eq!(fields.number("ports", 1..=9), Some(3));
        assert_eq!(fields.boolean("on"), Some(false));
        assert_eq!(fields.list("list").len(), 1);
        assert_eq!(fields.place("on"), "on");
        assert!(Fields::of(&value["ports"], "x", &[], &mistakes).is_none());
        assert_eq!(mistakes.or(Some(())).unwrap_err().to_string(), "x: must be an object");
        assert_eq!(Mistakes::default().or(Some(7)), Ok(7));
    }
}
