//! What every command finds or makes before its work: the configuration, the folders, the secret.

use std::{fs, io::Write, path::Path};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;

use super::CliError;
use crate::{
    config::{Config, Variables},
    db::Target,
    domain::{Random, SystemRandom},
};

/// Reads `.env` and the environment; the environment wins.
///
/// # Errors
/// An unreadable `.env`; every mistake in the settings.
pub fn load() -> Result<Config, CliError> {
    Ok(Config::from_variables(&variables()?)?)
}

pub(super) fn variables() -> Result<Variables, CliError> {
    let mut variables = Variables::new();
    match dotenvy::dotenv_iter() {
        Ok(lines) => {
            for line in lines {
                let (name, value) = line.map_err(CliError::DotEnv)?;
                variables.insert(name, value);
            }
        }
        Err(error) if error.not_found() => {}
        Err(error) => return Err(CliError::DotEnv(error)),
    }
    variables.extend(
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
    );
    Ok(variables)
}

/// Makes the data folder, and the folder of the embedded database.
///
/// # Errors
/// A sentence that names the folder and the remedy.
pub fn prepare_folders(config: &Config) -> Result<(), CliError> {
    make_folder(&config.data_dir, "DATA_DIR")?;
    if let Target::Sqlite(path) = &config.database.target
        && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
    {
        make_folder(folder, "DATABASE_URL")?;
    }
    Ok(())
}

fn make_folder(folder: &Path, variable: &str) -> Result<(), CliError> {
    let fail = |error: std::io::Error| {
        CliError::Message(format!(
            "the folder `{}` cannot be written ({error}); make it writable, or let {variable} name another one",
            folder.display()
        ))
    };
    // The database holds addresses and password hashes: nobody else on this machine is to read it.
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(fail)?;
    // Only writing proves that one may write.
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe)).map_err(fail)
}

/// The secret that signs tokens: the configured one, else one that is made once and kept in the data folder.
///
/// # Errors
/// When the file cannot be read or written.
pub fn jwt_secret(config: &Config) -> Result<SecretString, CliError> {
    if let Some(secret) = &config.tokens.secret {
        return Ok(secret.clone());
    }
    let path = config.secret_file();
    let fail = |error: std::io::Error| {
        CliError::Message(format!("the secret in `{}` cannot be kept ({error}); set JWT_SECRET", path.display()))
    };
    match fs::read_to_string(&path) {
        Ok(secret) if secret.trim().len() >= 32 => return Ok(secret.trim().to_owned().into()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(fail(error)),
    }
    let secret = URL_SAFE_NO_PAD.encode(SystemRandom.secret());
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&path).and_then(|mut file| file.write_all(secret.as_bytes())).map_err(fail)?;
    Ok(secret.into())
}
