-- `migrate up` or the start of the server fills it.
DROP TABLE search_index;
CREATE VIRTUAL TABLE search_index USING fts5 (
    name,
    description,
    content = '',
    contentless_delete = 1,
    tokenize = "ascii tokenchars '_'"
);
