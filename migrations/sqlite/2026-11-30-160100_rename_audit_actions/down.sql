UPDATE audit_events SET action = 'password.refused' WHERE action = 'password.rejected';
UPDATE audit_events SET action = 'login.throttled' WHERE action = 'login.rate_limited';
