-- Resources of all modules: body is JSON, version the commit that wrote it.
CREATE TABLE resources (
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    version INTEGER NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT;

-- What happened, written with the change that made it so. seq has no gaps.
CREATE TABLE events (
    seq          INTEGER PRIMARY KEY,
    version      INTEGER NOT NULL,
    at_ms        INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    layer        TEXT NOT NULL,
    project      TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject      TEXT NOT NULL,
    message      TEXT NOT NULL,
    app          TEXT NOT NULL,
    node         TEXT NOT NULL,
    cause        INTEGER NOT NULL,
    actor        TEXT NOT NULL,
    data         TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_subject ON events (subject_kind, project, subject, seq);
CREATE INDEX events_by_app ON events (app, seq) WHERE app <> '';
CREATE INDEX events_by_node ON events (node, seq) WHERE node <> '';

-- One row: the last version and event, the first event from which on all are kept, and the bytes of all kept events.
CREATE TABLE state (
    only_row     INTEGER PRIMARY KEY CHECK (only_row = 1),
    last_version INTEGER NOT NULL,
    last_event   INTEGER NOT NULL,
    first_event  INTEGER NOT NULL,
    event_bytes  INTEGER NOT NULL
) STRICT;
INSERT INTO state VALUES (1, 0, 0, 1, 0);
