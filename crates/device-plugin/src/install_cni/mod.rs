//! Placing the CNI plugin's program on the node: an init container's work, because a static image has no `cp`.
//!
//! The runtime may start the program at any moment, and the node may lose power at any moment. What stands under the
//! program's name is the old one or the new one, whole.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use rustix::{
    fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, flock, fstat, openat, unlinkat},
    io::Errno,
};

use findings::exit;
use host_io::console::complain;
use node::atomic_file;

use crate::paths;

/// Rights of the program.
const MODE: u32 = 0o755;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The program
    #[arg(long, value_name = "FILE", default_value = paths::CNI_PROGRAM)]
    from: PathBuf,
    /// The node's directory of CNI plugins
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let (from, to) = (args.from.display(), args.to.display());
    match install(&args.from, &args.to) {
        Ok(Done::Installed) => complain(&format!("installed {from} in {to}")),
        Ok(Done::Unchanged) => complain(&format!("{from} is in {to} already")),
        Err(error) => return exit::fail(exit::FAILED, &format!("error: {error}")),
    }
    ExitCode::SUCCESS
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Unchanged,
    Installed,
}

/// Why the program is not there. What was there before still is.
#[derive(Debug, thiserror::Error)]
enum InstallError {
    #[error("{}: {error}", .path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{} is not the path of a program", .0.display())]
    NoName(PathBuf),
    #[error("{} is a directory: nothing was installed", .0.display())]
    IsDirectory(PathBuf),
}

/// Puts the program `from` into the directory `to`, under the same name.
fn install(from: &Path, to: &Path) -> Result<Done, InstallError> {
    let name = from.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| InstallError::NoName(from.to_owned()))?;
    let program = fs::read(from).map_err(at(from))?;
    let dir = File::open(to).map_err(at(to))?;
    // One at a time, so that the temporary files that are there belong to nobody. A killed one leaves no lock.
    flock(&dir, FlockOperation::LockExclusive).map_err(|errno| at(to)(errno.into()))?;
    remove_temporaries(&dir, to)?;
    let target = to.join(name);
    if is_installed(&dir, name, &program).map_err(at(&target))? {
        return Ok(Done::Unchanged);
    }
    match atomic_file::write_durably(&dir, name, &program, Mode::from_raw_mode(MODE)) {
        Ok(()) => Ok(Done::Installed),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => Err(InstallError::IsDirectory(target)),
        Err(error) => Err(at(&target)(error)),
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> InstallError {
    move |error| InstallError::Io { path: path.to_owned(), error }
}

/// What a killed predecessor has left.
fn remove_temporaries(dir: &File, path: &Path) -> Result<(), InstallError> {
    for entry in fs::read_dir(path).map_err(at(path))? {
        let name = entry.map_err(at(path))?.file_name();
        if name.as_encoded_bytes().starts_with(atomic_file::TEMPORARY.as_bytes()) {
            let removed = unlinkat(dir, &name, AtFlags::empty());
            removed.map_err(|errno| at(&path.join(&name))(errno.into()))?;
        }
    }
    Ok(())
}

/// Whether the name is a file of these bytes and rights. A link is none, wherever it leads.
fn is_installed(dir: &File, name: &str, program: &[u8]) -> io::Result<bool> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(dir, name, flags, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let stat = fstat(&file)?;
    let is_program = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        && Mode::from_raw_mode(stat.st_mode) == Mode::from_raw_mode(MODE)
        && u64::try_from(stat.st_size).is_ok_and(|size| size == program.len() as u64);
    if !is_program {
        return Ok(false);
    }
    let mut bytes = vec![0; program.len()];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes == program)
}

#[cfg(test)]
mod tests;
