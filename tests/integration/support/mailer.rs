//! Mail as the test reads it.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use bucketlist::mail::{Mail, MailError, Mailer, SendFuture};

/// Keeps mail in memory; can be told to fail.
#[derive(Default)]
pub struct MemoryMailer {
    sent: Mutex<Vec<Mail>>,
    pub fails: AtomicBool,
}

impl MemoryMailer {
    /// Takes out everything that was sent.
    pub fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }
}

impl Mailer for MemoryMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> SendFuture<'a> {
        Box::pin(async move {
            if self.fails.load(Ordering::SeqCst) {
                return Err(MailError("the mail server is away".to_owned()));
            }
            self.sent.lock().unwrap().push(mail.clone());
            Ok(())
        })
    }
}
