//! A mailer that stores messages in memory.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use bucketlist::mail::{Mail, MailError, Mailer, SendFuture};

/// Stores sent mail in memory, or fails on request.
#[derive(Default)]
pub struct MemoryMailer {
    sent: Mutex<Vec<Mail>>,
    attempts: Mutex<Vec<String>>,
    /// Fails as if the mail server were unavailable.
    pub fails: AtomicBool,
    /// Rejects messages as if the mailbox did not exist.
    pub rejects: AtomicBool,
}

impl MemoryMailer {
    /// Returns all sent mail and clears the store.
    pub fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }

    /// Returns the ID of the message of each attempt.
    pub fn attempts(&self) -> Vec<String> {
        self.attempts.lock().unwrap().clone()
    }
}

impl Mailer for MemoryMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> SendFuture<'a> {
        Box::pin(async move {
            self.attempts.lock().unwrap().push(mail.id.clone());
            if self.fails.load(Ordering::SeqCst) {
                return Err(MailError::Failed("the mail server is unavailable".to_owned()));
            }
            if self.rejects.load(Ordering::SeqCst) {
                return Err(MailError::Rejected("the mail server responded with 550 5.1.1".to_owned()));
            }
            self.sent.lock().unwrap().push(mail.clone());
            Ok(())
        })
    }
}
