-- The server of that time fills it after it has migrated.
DROP TABLE search_index;
CREATE VIRTUAL TABLE search_index USING fts5 (
    name,
    description,
    content = '',
    contentless_delete = 1,
    tokenize = "ascii tokenchars '_'"
);
