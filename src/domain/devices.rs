//! Devices that log in: a program on a network. There are no cookies, so this is what distinguishes a login of the user from
//! that of another person.

use std::{net::IpAddr, time::Duration};

use sha2::{Digest, Sha256};

use super::UserId;

/// Time since its last login after which a device is unknown again.
pub const DEVICE_RETENTION: Duration = Duration::from_secs(90 * 86_400);

/// Programs by a part of their user agent. The first match applies, because the user agents of browsers contain those of others.
const PROGRAMS: &[(&str, &str)] = &[
    ("Edg", "Microsoft Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari", "Safari"),
    ("PostmanRuntime", "Postman"),
    ("insomnia", "Insomnia"),
    ("bruno", "Bruno"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("HTTPie", "HTTPie"),
    ("PowerShell", "PowerShell"),
    ("python", "Python"),
    ("Python", "Python"),
    ("aiohttp", "Python"),
    ("Go-http-client", "Go"),
    ("okhttp", "OkHttp"),
    ("Java", "Java"),
    ("axios", "Node.js"),
    ("node", "Node.js"),
    ("undici", "Node.js"),
    ("reqwest", "Rust"),
    ("Ruby", "Ruby"),
    ("Dart", "Dart"),
];

/// The name of all programs that are not in the table.
const OTHER_PROGRAM: &str = "unknown";

/// Returns the program of a user agent, from a fixed list: it is displayed in mail, and the client chooses its user agent.
#[must_use]
pub fn program(user_agent: Option<&str>) -> &'static str {
    let user_agent = user_agent.unwrap_or_default();
    PROGRAMS.iter().find(|(part, _)| user_agent.contains(part)).map_or(OTHER_PROGRAM, |(_, program)| program)
}

/// Identifies the device of a login of an account: a digest of its program and its network. Networks are large (`/16`, IPv6 `/32`),
/// because the addresses of most users change daily, within those of their provider.
#[must_use]
pub fn device_digest(user_id: UserId, program: &str, address: Option<IpAddr>) -> Vec<u8> {
    let network = match address.map(|address| address.to_canonical()) {
        None => String::new(),
        Some(IpAddr::V4(v4)) => format!("{}.{}", v4.octets()[0], v4.octets()[1]),
        Some(IpAddr::V6(v6)) => format!("{:x}:{:x}", v6.segments()[0], v6.segments()[1]),
    };
    Sha256::digest(format!("{user_id}\n{program}\n{network}"))[..16].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_is_one_of_a_fixed_list() {
        for (user_agent, expected) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox"),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
                "Chrome",
            ),
            ("Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15", "Safari"),
            ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Microsoft Edge"),
            ("curl/8.9.1", "curl"),
            ("Click here: https://evil.example", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(program(Some(user_agent)), expected, "{user_agent}");
        }
        assert_eq!(program(None), "unknown");
    }

    #[test]
    fn device_depends_on_the_account_the_program_and_the_network() {
        let digest =
            |user: i64, program: &str, address: &str| device_digest(UserId::new(user), program, address.parse().ok());
        let known = digest(1, "curl", "198.51.100.7");
        assert_eq!(digest(1, "curl", "198.51.3.4"), known);
        assert_eq!(digest(1, "curl", "::ffff:198.51.100.7"), known);
        for other in [
            digest(2, "curl", "198.51.100.7"),
            digest(1, "Wget", "198.51.100.7"),
            digest(1, "curl", "198.52.100.7"),
            digest(1, "curl", ""),
        ] {
            assert_ne!(other, known);
        }
        assert_eq!(digest(1, "curl", "2001:db8:1::1"), digest(1, "curl", "2001:db8:2::1"));
        assert_ne!(digest(1, "curl", "2001:db8::1"), digest(1, "curl", "2001:db9::1"));
    }
}
