-- SQL cannot convert domains to Punycode: the server does it before it applies this migration, see src/db/email_domains.rs.
UPDATE users SET email_key = email_key WHERE FALSE;
