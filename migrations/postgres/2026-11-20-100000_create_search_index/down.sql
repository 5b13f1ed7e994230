DROP TRIGGER items_leave_search_index ON items;
DROP TRIGGER bucketlists_leave_search_index ON bucketlists;
DROP FUNCTION items_leave_search_index();
DROP FUNCTION bucketlists_leave_search_index();
DROP TABLE search_index;
