//! Counts sent mail.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::mail::{Mail, Mailer, SendFuture};

/// Counts the messages that another mailer sends.
pub struct MeteredMailer {
    mailer: Arc<dyn Mailer>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    failed: AtomicU64,
}

impl MeteredMailer {
    /// Wraps a mailer and registers its metrics.
    pub fn new(mailer: Arc<dyn Mailer>, metrics: &mut super::Metrics) -> Self {
        let counts = Arc::<Counts>::default();
        let (sent, failed) = (Arc::clone(&counts), Arc::clone(&counts));
        let samples = vec![
            super::Sample::new([("result", "sent")], move || sent.sent.load(Ordering::Relaxed)),
            super::Sample::new([("result", "failed")], move || failed.failed.load(Ordering::Relaxed)),
        ];
        metrics.sample(
            "mails",
            "Messages accepted by the mail server, and attempts that failed",
            super::Kind::Counter,
            samples,
        );
        Self { mailer, counts }
    }
}

impl Mailer for MeteredMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> SendFuture<'a> {
        Box::pin(async {
            let result = self.mailer.send(mail).await;
            let counter = if result.is_ok() { &self.counts.sent } else { &self.counts.failed };
            counter.fetch_add(1, Ordering::Relaxed);
            result
        })
    }
}
