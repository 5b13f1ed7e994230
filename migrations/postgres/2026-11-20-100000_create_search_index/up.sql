-- What full-text search finds: a document for each bucketlist and item, made of terms that the server has cut and folded
-- itself and that begin with their owner ("42_paris"). So there is no text-search configuration to agree with.
-- The id of an item's document is the item's, of a list's document 2^62 more: lists are few and come first.
CREATE TABLE search_index (
    document_id BIGINT   PRIMARY KEY,
    terms       TSVECTOR NOT NULL
    -- before it knows the table, PostgreSQL would start workers for each search: that takes longer than the search
) WITH (parallel_workers = 0);
-- without a list of pending entries, which every search would have to read through
CREATE INDEX search_index_terms ON search_index USING gin (terms) WITH (fastupdate = off);
-- by whatever cascade rows go, their documents go with them
CREATE FUNCTION bucketlists_leave_search_index() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM search_index WHERE document_id IN (SELECT id + 4611686018427387904 FROM gone);
    RETURN NULL;
END;
$$;
CREATE FUNCTION items_leave_search_index() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM search_index WHERE document_id IN (SELECT id FROM gone);
    RETURN NULL;
END;
$$;
CREATE TRIGGER bucketlists_leave_search_index AFTER DELETE ON bucketlists
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION bucketlists_leave_search_index();
CREATE TRIGGER items_leave_search_index AFTER DELETE ON items
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION items_leave_search_index();
