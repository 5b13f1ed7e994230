-- start of the announced brownout, if the notice is brownout; 0 for other notices
ALTER TABLE deprecation_notices ADD COLUMN brownout_at BIGINT NOT NULL DEFAULT 0;
-- of the mail: queued, sent or failed
ALTER TABLE deprecation_notices ADD COLUMN state TEXT COLLATE "C" NOT NULL DEFAULT 'sent';
ALTER TABLE deprecation_notices DROP CONSTRAINT deprecation_notices_pkey;
ALTER TABLE deprecation_notices
    ADD CONSTRAINT deprecation_notices_pkey PRIMARY KEY (consumer_kind, consumer_id, version, operation, notice, brownout_at);
-- An older release does not know the notice brownout.
UPDATE schema_compatibility SET minimum_version = '20261201100100';
