-- `migrate up` of that time's binary fills it, or its server when it starts.
DROP TABLE search_index;
CREATE VIRTUAL TABLE search_index USING fts5 (
    name,
    description,
    content = '',
    contentless_delete = 1,
    tokenize = "ascii tokenchars '_'"
);
