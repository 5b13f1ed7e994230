DROP TRIGGER items_leave_search_index;
DROP TRIGGER bucketlists_leave_search_index;
DROP TABLE search_index;
