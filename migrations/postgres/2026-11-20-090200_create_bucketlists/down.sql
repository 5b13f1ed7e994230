DROP TABLE bucketlists;
