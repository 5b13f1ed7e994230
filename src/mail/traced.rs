//! Traces sent mail.

use std::sync::Arc;

use super::{Mail, Mailer, SendFuture};
use crate::traces::{self, SpanKind};

/// Records a span for each message that another mailer sends. The span has neither the recipient nor the text.
pub struct TracedMailer(Arc<dyn Mailer>);

impl TracedMailer {
    #[must_use]
    pub fn new(mailer: Arc<dyn Mailer>) -> Self {
        Self(mailer)
    }
}

impl Mailer for TracedMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> SendFuture<'a> {
        Box::pin(async {
            let span = traces::start(SpanKind::Client, || ("send mail", Vec::new()));
            let result = self.0.send(mail).await;
            if let (Some(span), Err(error)) = (&span, &result) {
                span.set_error(error.to_string());
            }
            result
        })
    }
}
