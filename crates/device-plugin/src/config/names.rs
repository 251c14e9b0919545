//! The texts of the configuration that mean something.

use std::{fmt, str::FromStr};

use vocabulary::{ComputePath, DeviceId, PathError, Quoted};

/// The part of a resource's name before the slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain(String);

impl Domain {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Domain {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let label = |label: &str| is_label(label) && label.len() <= 63;
        match text.len() <= 253 && text.contains('.') && text.split('.').all(label) {
            true if text == "kubernetes.io" || text.ends_with(".kubernetes.io") => {
                Err(format!("{} belongs to Kubernetes: use your own domain", Quoted(text)))
            }
            true => Ok(Self(text.to_owned())),
            false => Err(format!("{} is not a valid domain (example: vhostuser.network)", Quoted(text))),
        }
    }
}

/// The part of a resource's name behind the slash: the beginning of its devices' ids.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceName(String);

impl ResourceName {
    const MAX: usize = 40;

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// One of its devices. Never nothing: a name leaves room for the number.
    pub(super) fn device(&self, number: u32) -> Option<DeviceId> {
        format!("{}-{number}", self.0).parse().ok()
    }
}

impl FromStr for ResourceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match is_label(text) && text.len() <= Self::MAX {
            true => Ok(Self(text.to_owned())),
            false => Err(format!(
                "{} is not a valid resource name: 1 to {} lower-case letters, digits and '-', starting and ending with a letter or digit",
                Quoted(text),
                Self::MAX
            )),
        }
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_label(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && !text.starts_with('-') && !text.ends_with('-') && text.bytes().all(allowed)
}

/// A name of something in the switch or in this file.
pub(super) struct Word(pub(super) String);

impl FromStr for Word {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_graphic() && c != '/';
        match !text.is_empty() && text.len() <= 255 && text.chars().all(plain) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!(
                "{} is not a valid name: printable characters without space and '/'",
                Quoted(text)
            )),
        }
    }
}

pub(super) struct ContainerDir(pub(super) ComputePath);

impl FromStr for ContainerDir {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        ComputePath::directory(text).map(Self)
    }
}

/// Permission bits of a directory that only its owner, its group and the switch's user may enter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DirMode(pub(super) u32);

impl FromStr for DirMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let mode = if digits { u32::from_str_radix(text, 8).ok() } else { None };
        match mode {
            Some(mode) if mode <= 0o777 && mode & 0o700 == 0o700 && mode & 0o007 == 0 => Ok(Self(mode)),
            _ => Err(format!(
                "{} must be an octal mode from \"0700\" to \"0770\", full access for the owner and none for others \
                 (the switch's own user gets access with 'switchUser')",
                Quoted(text)
            )),
        }
    }
}
