DROP TABLE running_servers;
