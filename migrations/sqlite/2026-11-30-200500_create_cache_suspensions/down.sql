DROP TABLE cache_suspensions;
