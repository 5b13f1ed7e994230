-- The index anew, and beside it one of the first letter and one of the first two letters of every word: what begins with
-- them is a single entry then, and need not be collected from all words that do. That asks for owners of one width, here 13
-- characters ("0000000000016paris"). Which columns have a term is kept, not where it stands in them,
-- and an underscore is no part of one any more: a server of before finds nothing in it.
-- Migrating fills the index afterwards, as does the server when it starts.
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
