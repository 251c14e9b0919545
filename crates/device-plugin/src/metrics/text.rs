//! OpenMetrics text, as Prometheus reads it.

use std::fmt::{Display, Write};

/// The content type of the text.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Info,
}

/// Text that is being written, one family of metrics after the other.
#[derive(Debug, Default)]
pub(super) struct Text {
    text: String,
    /// The name of the present family's samples.
    name: String,
}

impl Text {
    /// Begins a family. `help` is a sentence without its full stop.
    pub(super) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let (kind, suffix) = match kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
            Kind::Info => ("info", "_info"),
        };
        self.name = format!("{name}{suffix}");
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}.\n# TYPE {name} {kind}");
    }

    /// A sample of the family that was begun last.
    pub(super) fn sample<V: AsRef<str>>(&mut self, labels: &[(&str, V)], value: impl Display) {
        self.text += &self.name;
        for (number, (label, value)) in labels.iter().enumerate() {
            let value = value.as_ref().replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
            let _ = write!(self.text, "{}{label}=\"{value}\"", if number == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    pub(super) fn end(self) -> String {
        self.text + "# EOF\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_labels_are_escaped() {
        let mut text = Text::default();
        text.family("a", Kind::Counter, "Help");
        text.sample(&[("b", "x\\\"\ny"), ("c", "")], 1);
        text.sample::<&str>(&[], -2);
        let expected =
            "# HELP a Help.\n# TYPE a counter\na_total{b=\"x\\\\\\\"\\ny\",c=\"\"} 1\na_total -2\n# EOF\n";
        assert_eq!(text.end(), expected);
    }
}
