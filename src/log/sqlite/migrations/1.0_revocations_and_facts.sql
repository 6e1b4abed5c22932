-- A log of revocations, format 1.0. docs/format.md says what each column holds and what is promised.
CREATE TABLE fact (
    name  TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE revocation (
    position      INTEGER PRIMARY KEY AUTOINCREMENT,
    batch         INTEGER NOT NULL,
    scope         TEXT NOT NULL,
    value         TEXT NOT NULL,
    issuer        TEXT NOT NULL,
    issued_before INTEGER,
    keep          TEXT,
    keep_until    INTEGER,
    recorded_at   INTEGER NOT NULL,
    reason        TEXT
);

CREATE INDEX revocation_keep_until ON revocation (keep_until) WHERE keep_until IS NOT NULL;

CREATE VIEW revocations AS SELECT
    position,
    scope,
    value,
    CASE issuer WHEN '*' THEN 'any' WHEN '-' THEN 'none' ELSE substr(issuer, 2) END AS issuer,
    strftime('%Y-%m-%dT%H:%M:%fZ', issued_before / 1000.0, 'unixepoch') AS issued_before,
    keep,
    coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', keep_until / 1000.0, 'unixepoch'), 'for ever') AS keep_until,
    strftime('%Y-%m-%dT%H:%M:%fZ', recorded_at / 1000.0, 'unixepoch') AS recorded_at,
    reason
FROM revocation ORDER BY position;
