//! Writes mail to files, for systems without a mail server.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{Mail, MailError, Mailer, SendFuture};

/// Writes each message to a separate file that only its owner can read.
#[derive(Debug)]
pub struct FileMailer {
    directory: PathBuf,
    count: AtomicU64,
}

impl FileMailer {
    /// Writes to `directory`, which is created with the first message.
    #[must_use]
    pub const fn new(directory: PathBuf) -> Self {
        Self { directory, count: AtomicU64::new(0) }
    }

    async fn write(&self, mail: &Mail) -> std::io::Result<PathBuf> {
        let mut builder = tokio::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        builder.mode(0o700);
        builder.create(&self.directory).await?;
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.join(format!("{}-{number}.txt", uuid::Uuid::now_v7()));
        let text = format!("To: {}\nSubject: {}\n\n{}\n", mail.to, mail.subject, mail.text);
        let mut options = tokio::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        options.mode(0o600);
        let mut file = options.open(&path).await?;
        tokio::io::AsyncWriteExt::write_all(&mut file, text.as_bytes()).await?;
        file.sync_all().await?;
        Ok(path)
    }
}

impl Mailer for FileMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> SendFuture<'a> {
        Box::pin(async move {
            let path = self.write(mail).await.map_err(|error| MailError::Failed(error.to_string()))?;
            tracing::info!(path = %path.display(), subject = mail.subject, "mail written to a file; SMTP_URL is not set");
            Ok(())
        })
    }
}
