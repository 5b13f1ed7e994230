//! Applies changed settings to the running server on SIGHUP: the log level, the certificate and the limits.

use std::sync::Arc;

use tokio::{signal::unix::Signal, sync::watch};

use super::{
    CliError, Settings,
    listen::{certificate_files, connection_limits},
    logging::LogLevel,
};
use crate::{
    config::{Config, variables},
    limits::ActiveLimits,
    server::{ConnectionLimits, tls::Certificates},
};

/// The parts of the server that accept changed settings.
pub(super) struct Reloader {
    pub(super) settings: Settings,
    pub(super) log_level: LogLevel,
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) connection_limits: watch::Sender<ConnectionLimits>,
    pub(super) request_limits: ActiveLimits,
}

impl Reloader {
    /// Reloads the settings on each signal.
    pub(super) async fn run(mut self, mut hang_up: Signal) {
        while hang_up.recv().await.is_some() {
            // Reads small files: the runtime has other threads for requests.
            tokio::task::block_in_place(|| self.reload());
        }
    }

    /// Applies the settings if all of them are valid.
    fn reload(&mut self) {
        match self.read() {
            Ok((settings, config)) => {
                self.apply(&config);
                for variable in changed(&self.settings, &settings).filter(|variable| !variable.is_reloaded) {
                    tracing::warn!(variable = variable.name, "changed setting requires a restart");
                }
                settings.log();
                self.settings = settings;
                tracing::info!("settings reloaded");
            }
            Err(error) => tracing::error!(%error, "cannot reload settings; keeping the previous ones"),
        }
    }

    fn read(&self) -> Result<(Settings, Config), CliError> {
        let settings = self.settings.reread()?;
        let config = settings.config()?;
        Ok((settings, config))
    }

    fn apply(&self, config: &Config) {
        if let Err(error) = self.log_level.set(&config.log_level) {
            tracing::error!(%error, "cannot change the log level");
        }
        // HTTPS cannot be turned on or off while the port is open.
        if let (Some(certificates), Some(files)) = (&self.certificates, certificate_files(&config.connections)) {
            match certificates.replace(files) {
                Ok(()) => tracing::info!("certificate reloaded"),
                Err(error) => tracing::error!(%error, "cannot reload certificate; keeping the previous one"),
            }
        }
        let connections = self.connection_limits.borrow().connections;
        self.connection_limits.send_replace(ConnectionLimits { connections, ..connection_limits(config) });
        self.request_limits.replace(config.limits);
    }
}

/// Returns the variables with different values.
fn changed<'a>(before: &'a Settings, after: &'a Settings) -> impl Iterator<Item = &'static variables::Variable> + 'a {
    variables::ALL.iter().filter(|variable| before.variables.get(variable.name) != after.variables.get(variable.name))
}
