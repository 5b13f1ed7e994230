-- The previous keys are the addresses in lower case. SQLite and some locales of PostgreSQL change the case of ASCII only, so the
-- keys remain in Punycode: a server of the previous version finds these accounts by their address in Punycode.
UPDATE users SET email_key = email_key WHERE FALSE;
