//! `serve --profile FILE`.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{CliError, error::io_reason};
use crate::profiles::{ProfileError, Recording};

/// A file that a profile of the whole run is written to.
pub(super) struct ProfileFile {
    path: PathBuf,
    file: File,
    recording: Recording,
}

impl ProfileFile {
    /// Creates the file, so that a wrong path is reported at once, and starts to record.
    pub(super) fn create(path: PathBuf) -> Result<Self, CliError> {
        let file = File::create(&path).map_err(|error| cannot_write(&path, &error))?;
        let recording = Recording::start().map_err(|error| failed(&error))?;
        Ok(Self { path, file, recording })
    }

    /// Ends the recording and writes the profile.
    pub(super) fn write(mut self) -> Result<(), CliError> {
        let profile = self.recording.finish().map_err(|error| failed(&error))?;
        let is_image = self.path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("svg"));
        let bytes = if is_image {
            profile.to_svg().into_bytes()
        } else {
            profile.to_pprof().map_err(|error| failed(&error))?
        };
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_all());
        written.map_err(|error| cannot_write(&self.path, &error))
    }
}

fn failed(error: &ProfileError) -> CliError {
    CliError::Message(error.to_string())
}

fn cannot_write(path: &Path, error: &io::Error) -> CliError {
    CliError::Message(format!("cannot write {}: {}", path.display(), io_reason(error)))
}
