//! The variables of proxies in front of the server.

use super::{BOOLEAN, Variable, variable::variable};

pub(super) const PROXIES: &[Variable] = &[
    variable(
        "TRUSTED_PROXIES",
        "",
        "Proxies whose X-Forwarded-For or Forwarded header is accepted. If empty, none.",
        "IP addresses or networks, separated by commas",
        "10.0.0.0/8,::1",
    ),
    variable(
        "PROXY_PROTOCOL",
        "false",
        "Whether TRUSTED_PROXIES begin each connection with a PROXY protocol header (version 1 or 2), including before TLS.",
        BOOLEAN,
        "",
    ),
];
