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
    pub fails: AtomicBool,
}

impl MemoryMailer {
    /// Returns all sent mail and clears the store.
    pub fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }
}

impl Mailer for MemoryMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> SendFuture<'a> {
        Box::pin(async move {
            if self.fails.load(Ordering::SeqCst) {
                return Err(MailError("the mail server is unavailable".to_owned()));
            }
            self.sent.lock().unwrap().push(mail.clone());
            Ok(())
        })
    }
}
