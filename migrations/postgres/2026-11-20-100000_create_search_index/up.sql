-- The full-text index: a document for each bucketlist and item, of terms that the server has divided and folded
-- and that start with their owner ("42_paris"). No text-search configuration is used.
-- The document of an item has the id of the item, that of a list its id plus 2^62: lists are few and rank first.
CREATE TABLE search_index (
    document_id BIGINT   PRIMARY KEY,
    terms       TSVECTOR NOT NULL
    -- without statistics, PostgreSQL would start parallel workers, which takes longer than the search
) WITH (parallel_workers = 0);
-- without a pending list, which every search would have to read
CREATE INDEX search_index_terms ON search_index USING gin (terms) WITH (fastupdate = off);
-- triggers also delete the documents of rows deleted by a cascade
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
