//! Reads a small file that another program writes.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use rustix::fs::{FileType, Mode, OFlags, fstat, open};

/// The largest file, in bytes. An annotation has at most 256 KiB; device metadata is smaller.
const LIMIT: u64 = 1 << 20;

/// The whole file; `None` if it does not exist. Opened each time, because kubelet replaces the directory on the path, and
/// without blocking, whatever the file is.
///
/// # Errors
/// It cannot be read, is not a regular file, or is larger than 1 MiB.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()) {
        Ok(file) => file,
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    File::from(file).take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Err(io::Error::other("larger than 1 MiB"));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_regular_files_of_bounded_size_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        assert_eq!(read(&path).unwrap(), None);
        std::fs::write(&path, vec![b'x'; 1 << 20]).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().len(), 1 << 20);
        std::fs::write(&path, vec![b'x'; (1 << 20) + 1]).unwrap();
        assert_eq!(read(&path).unwrap_err().to_string(), "larger than 1 MiB");
        assert_eq!(read(dir.path()).unwrap_err().to_string(), "not a regular file");
    }
}
