-- What full-text search finds: a document for each bucketlist and item, made of terms that the server has cut and folded
-- itself and that begin with their owner ("42_paris"). The tokenizer splits at spaces and changes nothing: `ascii` knows
-- letters, digits, `_` and whatever is not ASCII as parts of a token. Nothing of the texts is kept but the index.
-- The id of an item's document is the item's, of a list's document 2^62 more: lists are few and come first.
CREATE VIRTUAL TABLE search_index USING fts5 (
    name,
    description,
    content = '',
    contentless_delete = 1,
    tokenize = "ascii tokenchars '_'"
);
-- by whatever cascade a row goes, its document goes with it
CREATE TRIGGER bucketlists_leave_search_index AFTER DELETE ON bucketlists BEGIN
    DELETE FROM search_index WHERE rowid = OLD.id + 4611686018427387904;
END;
CREATE TRIGGER items_leave_search_index AFTER DELETE ON items BEGIN
    DELETE FROM search_index WHERE rowid = OLD.id;
END;
