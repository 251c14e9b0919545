//! Unique names.

use rustix::{
    io::Errno,
    rand::{GetRandomFlags, getrandom},
};

/// Eight random hex digits.
pub fn hex8() -> Result<String, Errno> {
    let mut bytes = [0_u8; 4];
    getrandom(&mut bytes, GetRandomFlags::empty())?;
    Ok(format!("{:08x}", u32::from_be_bytes(bytes)))
}
