-- Of SQLite only: PostgreSQL's index finds the beginnings of words as it is.
SELECT 1;
