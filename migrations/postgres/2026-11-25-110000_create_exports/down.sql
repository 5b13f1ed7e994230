-- Only this version of the server has these jobs.
DELETE FROM jobs WHERE kind = 'export';
DROP TABLE export_parts;
DROP TABLE exports;
