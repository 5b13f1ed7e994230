-- Recreates the index, with prefix indexes for the first and the first two letters of every word, so that the matches of
-- such a prefix are a single entry. This requires owners of a fixed width, here 13
-- characters ("0000000000016paris"). The index stores the columns of a term but not its positions,
-- and terms no longer contain an underscore: older servers find nothing in it.
-- The migration command and the start of the server fill the index afterwards.
DROP TABLE search_index;
CREATE VIRTUAL TABLE search_index USING fts5 (
    name,
    description,
    content = '',
    contentless_delete = 1,
    detail = column,
    prefix = '14 15',
    tokenize = 'ascii'
);
