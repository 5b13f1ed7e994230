DROP TABLE usage_inputs;
ALTER TABLE usage_counters DROP COLUMN rejected;
