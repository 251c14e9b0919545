//! HTTP/1.1, one request per connection.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use serde_json::Value;

pub struct Request {
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub content_type: String,
    pub body: Vec<u8>,
}

impl Request {
    /// `None` if the client disconnected without a request.
    pub fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let line = read_line(&mut reader)?;
        let mut words = line.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = BTreeMap::new();
        while let Some((name, value)) = read_line(&mut reader)?.split_once(": ") {
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let query = query.split('&').filter_map(|pair| pair.split_once('='));
        Some(Self {
            method,
            path: path.to_owned(),
            query: query.map(|(name, value)| (name.to_owned(), decoded(value))).collect(),
            content_type: headers.remove("content-type").unwrap_or_default(),
            body,
        })
    }

    pub fn query(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    pub fn body(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn read_line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
}

/// `%2F` → `/`
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_at(2);
        decoded.push(char::from(u8::from_str_radix(code, 16).unwrap()));
        decoded.push_str(rest);
    }
    decoded
}

pub struct Answer {
    code: u16,
    content_type: &'static str,
    /// `None`: it lasts until the client disconnects.
    body: Option<Vec<u8>>,
}

impl Answer {
    pub fn json(code: u16, body: &Value) -> Self {
        Self { code, content_type: "application/json", body: Some(body.to_string().into_bytes()) }
    }

    pub fn text(body: &str) -> Self {
        Self { code: 200, content_type: "text/plain", body: Some(body.as_bytes().to_owned()) }
    }

    /// A watch in which nothing happens.
    pub fn watch() -> Self {
        Self { code: 200, content_type: "application/json", body: None }
    }

    /// The client may have disconnected.
    pub fn write(&self, mut stream: &TcpStream) {
        let Self { code, content_type, body } = self;
        let head = format!("HTTP/1.1 {code} -\r\nContent-Type: {content_type}\r\nConnection: close\r\n\r\n");
        let _ = stream.write_all(head.as_bytes());
        let _ = match body {
            Some(body) => stream.write_all(body),
            None => stream.read(&mut [0]).map(drop),
        };
    }
}
