-- Format 1.1: rows that another log, whose copy this file is, has not been given yet.
CREATE TABLE unsent (
    position INTEGER PRIMARY KEY
);
