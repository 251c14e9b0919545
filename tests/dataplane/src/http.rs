//! A page of a server on this node.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};

use crate::wait::seconds;

/// Its body.
pub fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).with_context(|| address.to_owned())?;
    stream.set_read_timeout(Some(seconds(60)))?;
    // HTTP/1.0: nobody keeps the connection open, or sends in chunks.
    stream.write_all(format!("GET {path} HTTP/1.0\r\nhost: node\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer has a head")?;
    let status = head.lines().next().unwrap_or_default();
    ensure!(status.contains(" 200 "), "{path}: {status}: {body}");
    Ok(body.to_owned())
}
