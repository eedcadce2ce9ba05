-- Resources as each commit left them; body NULL = removed. Of the kinds that `has_history` names.
CREATE TABLE history (
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    version INTEGER NOT NULL,
    at_ms   INTEGER NOT NULL,
    body    TEXT,
    PRIMARY KEY (kind, id, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX history_by_time ON history (at_ms);

-- From when on the history is whole; negative until it was begun with what the database held before.
ALTER TABLE state ADD COLUMN history_from_ms INTEGER NOT NULL DEFAULT -1;
