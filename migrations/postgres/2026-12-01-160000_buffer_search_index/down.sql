SELECT gin_clean_pending_list('search_index_terms');
ALTER INDEX search_index_terms SET (fastupdate = off);
ALTER INDEX search_index_terms RESET (gin_pending_list_limit);
