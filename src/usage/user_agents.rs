//! The user agents that anonymous requests are counted by: a bounded number per day.

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use crate::domain::{Consumer, Timestamp};

/// Maximum number of user agents per day and server.
const MAX_USER_AGENTS: usize = 200;
/// Maximum length of a user agent in bytes.
const MAX_LENGTH: usize = 100;
const DAY: Duration = Duration::from_secs(86_400);

/// The user agents of a day. All others are counted together.
pub(super) struct UserAgents {
    known: RwLock<KnownUserAgents>,
    other: Arc<str>,
}

struct KnownUserAgents {
    day: Timestamp,
    user_agents: HashSet<Arc<str>>,
}

impl Default for UserAgents {
    fn default() -> Self {
        let known = KnownUserAgents { day: Timestamp::from_micros(i64::MIN), user_agents: HashSet::new() };
        Self { known: RwLock::new(known), other: Consumer::OTHER_USER_AGENTS.into() }
    }
}

impl UserAgents {
    /// Returns the shared text of a user agent, or `other` if the day has too many different ones.
    pub(super) fn intern(&self, user_agent: &str, now: Timestamp) -> Arc<str> {
        let user_agent = &user_agent[..user_agent.floor_char_boundary(MAX_LENGTH)];
        let day = now.floor(DAY);
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if known.day == day {
                if let Some(shared) = known.user_agents.get(user_agent) {
                    return Arc::clone(shared);
                }
                if known.user_agents.len() >= MAX_USER_AGENTS {
                    return self.other();
                }
            }
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.day < day {
            *known = KnownUserAgents { day, user_agents: HashSet::new() };
        }
        if let Some(shared) = known.user_agents.get(user_agent) {
            return Arc::clone(shared);
        }
        if known.user_agents.len() >= MAX_USER_AGENTS {
            return self.other();
        }
        let shared: Arc<str> = user_agent.into();
        known.user_agents.insert(Arc::clone(&shared));
        shared
    }

    /// Returns the text that all other user agents are counted by.
    pub(super) fn other(&self) -> Arc<str> {
        Arc::clone(&self.other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_of_user_agents_per_day_is_bounded() {
        let (agents, now) = (UserAgents::default(), Timestamp::from_seconds(1_800_000_000));
        let distinct: HashSet<Arc<str>> =
            (0..10_000).map(|number| agents.intern(&format!("bot/{number}"), now)).collect();
        assert_eq!(distinct.len(), MAX_USER_AGENTS + 1);
        assert_eq!(&*agents.intern("bot/0", now), "bot/0", "a known user agent stays known");
        assert_eq!(&*agents.intern("bot/9999", now), "other");
        assert_eq!(&*agents.intern("bot/9999", now + DAY), "bot/9999", "the next day starts empty");
    }

    #[test]
    fn long_user_agent_is_truncated() {
        let agents = UserAgents::default();
        let text = agents.intern(&"é".repeat(MAX_LENGTH), Timestamp::default());
        assert_eq!(text.len(), MAX_LENGTH);
        assert_eq!(agents.intern(&"x".repeat(101), Timestamp::default()).len(), MAX_LENGTH);
    }
}
