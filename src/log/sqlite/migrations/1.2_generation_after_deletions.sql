-- Format 1.2: a random number that is another one whenever records are taken away that the watermark does not make up for, by whomever.
INSERT OR IGNORE INTO fact (name, value) VALUES ('generation', CAST(random() AS TEXT));

CREATE TRIGGER revocation_deleted AFTER DELETE ON revocation
WHEN OLD.keep_until IS NULL
  OR OLD.keep_until > coalesce((SELECT CAST(value AS INTEGER) FROM fact WHERE name = 'watermark'), -9223372036854775808)
BEGIN
    UPDATE fact SET value = CAST(random() AS TEXT) WHERE name = 'generation';
END;

CREATE TRIGGER revocation_changed AFTER UPDATE ON revocation
BEGIN
    UPDATE fact SET value = CAST(random() AS TEXT) WHERE name = 'generation';
END;

CREATE TRIGGER watermark_lowered AFTER UPDATE ON fact
WHEN OLD.name = 'watermark' AND (NEW.name <> 'watermark' OR CAST(NEW.value AS INTEGER) < CAST(OLD.value AS INTEGER))
BEGIN
    UPDATE fact SET value = CAST(random() AS TEXT) WHERE name = 'generation';
END;

CREATE TRIGGER watermark_deleted AFTER DELETE ON fact WHEN OLD.name = 'watermark'
BEGIN
    UPDATE fact SET value = CAST(random() AS TEXT) WHERE name = 'generation';
END;

-- What REPLACE deletes fires no trigger of deletion.
CREATE TRIGGER revocation_replaced BEFORE INSERT ON revocation
WHEN EXISTS (SELECT 1 FROM revocation WHERE position = NEW.position)
BEGIN
    UPDATE fact SET value = CAST(random() AS TEXT) WHERE name = 'generation';
END;

CREATE TRIGGER watermark_replaced BEFORE INSERT ON fact
WHEN NEW.name = 'watermark' AND EXISTS (
    SELECT 1 FROM fact WHERE name = 'watermark' AND CAST(value AS INTEGER) > CAST(NEW.value AS INTEGER))
BEGIN
    UPDATE fact SET value = CAST(random() AS TEXT) WHERE name = 'generation';
END;

-- The last rows that were deleted, so that a reader who stood at one sees whether it was the one that it knows.
CREATE TABLE deleted (
    position INTEGER PRIMARY KEY,
    batch    INTEGER NOT NULL
);

CREATE TRIGGER revocation_deleted_last AFTER DELETE ON revocation
WHEN OLD.position > (SELECT seq FROM sqlite_sequence WHERE name = 'revocation') - 10000
BEGIN
    INSERT OR REPLACE INTO deleted (position, batch) VALUES (OLD.position, OLD.batch);
    DELETE FROM deleted WHERE position <= (SELECT seq FROM sqlite_sequence WHERE name = 'revocation') - 10000;
END;
