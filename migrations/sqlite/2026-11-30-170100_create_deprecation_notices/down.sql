DROP TABLE deprecation_notices;
