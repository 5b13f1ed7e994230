UPDATE audit_events SET action = 'password.rejected' WHERE action = 'password.refused';
UPDATE audit_events SET action = 'login.rate_limited' WHERE action = 'login.throttled';
