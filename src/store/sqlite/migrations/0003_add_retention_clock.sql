-- How old something is for the retention: a clock that runs while the controller does and does not jump with the
-- wall clock. What was written before there was one counts as written when the wall clock said so.
ALTER TABLE events ADD COLUMN kept_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE history ADD COLUMN kept_ms INTEGER NOT NULL DEFAULT 0;
UPDATE events SET kept_ms = at_ms;
UPDATE history SET kept_ms = at_ms;
DROP INDEX history_by_time;
CREATE INDEX history_by_kept ON history (kept_ms);
-- 0 = not begun.
ALTER TABLE state ADD COLUMN retention_ms INTEGER NOT NULL DEFAULT 0;
