-- New documents are merged into the index in batches of at most 128 kB, which searches read besides the index. Each document alone rewrote a
-- part of the index for each of its words, which was four fifths of the write-ahead log.
ALTER INDEX search_index_terms SET (fastupdate = on, gin_pending_list_limit = 128);
