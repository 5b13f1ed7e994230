//! Checks HTTPS.

use std::time::SystemTime;

use super::{
    CheckStatus::{Fail, Ok as Pass, Warn},
    Checks, describe,
};
use crate::{cli::listen, config::Config};

/// Checks the certificate. Without one, checks that clients use HTTPS through a proxy.
pub(super) fn check(config: &Config, checks: &mut Checks) {
    const SECONDS_PER_DAY: u64 = 86_400;
    const MIN_DAYS_BEFORE_EXPIRY: u64 = 14;
    let Some(files) = listen::certificate_files(&config.connections) else {
        if config.environment.is_deployed() && !config.is_https() {
            let detail = "disabled; set TLS_CERT and TLS_KEY, or set PUBLIC_URL to the https:// URL of a proxy";
            checks.add("https", Warn, detail);
        }
        return;
    };
    let certificate = match files.load() {
        Ok(certificate) => certificate,
        Err(error) => return checks.add("https", Fail, describe(&error.into())),
    };
    let (Some(not_before), Some(not_after)) = (certificate.not_before(), certificate.not_after()) else {
        return checks.add("https", Warn, "cannot read the validity period of the certificate");
    };
    let host = url::Url::parse(&config.public_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let host = host.unwrap_or_default();
    let day = |time: SystemTime| chrono::DateTime::<chrono::Utc>::from(time).format("%Y-%m-%d");
    let now = SystemTime::now();
    let days = not_after.duration_since(now).map_or(0, |left| left.as_secs() / SECONDS_PER_DAY);
    if now > not_after {
        checks.add("https", Fail, format!("the certificate expired on {}; renew it", day(not_after)));
    } else if now < not_before {
        let detail = format!("the certificate is not valid before {}; check the clock", day(not_before));
        checks.add("https", Fail, detail);
    } else if !certificate.is_valid_for(host.trim_matches(['[', ']'])) {
        checks.add("https", Warn, format!("the certificate is not valid for {host}, the host of PUBLIC_URL"));
    } else if days < MIN_DAYS_BEFORE_EXPIRY {
        checks.add("https", Warn, format!("the certificate expires in {days} days; renew it"));
    } else {
        checks.add("https", Pass, format!("the certificate is valid until {}", day(not_after)));
    }
}
