//! The variables of mail.

use super::{
    BOOLEAN, Variable,
    variable::{secret, variable},
};

pub(super) const MAIL: &[Variable] = &[
    secret(
        "SMTP_URL",
        "Mail server with its credentials. If empty, mail is written to files in DATA_DIR/mail.",
        "an smtp:// or smtps:// URL; smtp:// with ?tls=required or ?tls=opportunistic uses STARTTLS",
        "smtps://user:password@mail.example.com",
    ),
    variable(
        "MAIL_FROM",
        "BucketList <no-reply@localhost>",
        "Sender of mail.",
        "an email address, with or without a name",
        "\"BucketList <no-reply@example.com>\"",
    ),
    variable("ACCOUNT_NOTICES", "true", "Whether users get mail about their account and its logins.", BOOLEAN, ""),
];
