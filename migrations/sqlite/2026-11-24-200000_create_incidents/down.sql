DROP TABLE incidents;
DROP TABLE incident_groups;
