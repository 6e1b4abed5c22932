-- Format 1.3: records that were taken out on purpose, as they stood. Whoever still goes by one is to forget it.
CREATE TABLE erased (
    scope         TEXT NOT NULL,
    value         TEXT NOT NULL,
    issuer        TEXT NOT NULL,
    issued_before INTEGER,
    keep          TEXT,
    keep_until    INTEGER,
    recorded_at   INTEGER NOT NULL,
    reason        TEXT
);
