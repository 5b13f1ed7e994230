-- The full-text index: a document for each bucketlist and item, of terms that the server has divided and folded
-- and that start with their owner ("42_paris"). The tokenizer only splits at spaces: `ascii` treats
-- letters, digits, `_` and non-ASCII characters as parts of a token. The texts themselves are not stored.
-- The document of an item has the id of the item, that of a list its id plus 2^62: lists are few and rank first.
CREATE VIRTUAL TABLE search_index USING fts5 (
    name,
    description,
    content = '',
    contentless_delete = 1,
    tokenize = "ascii tokenchars '_'"
);
-- a trigger also deletes the document of a row deleted by a cascade
CREATE TRIGGER bucketlists_leave_search_index AFTER DELETE ON bucketlists BEGIN
    DELETE FROM search_index WHERE rowid = OLD.id + 4611686018427387904;
END;
CREATE TRIGGER items_leave_search_index AFTER DELETE ON items BEGIN
    DELETE FROM search_index WHERE rowid = OLD.id;
END;
