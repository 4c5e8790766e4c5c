-- Runs that take far longer than usual, as an event.

ALTER TABLE channels ADD COLUMN on_slow INTEGER NOT NULL DEFAULT 0;  -- whether it tells of slow runs

-- A slow run is a lateness of its end: it began and ended, and runs take so long usually.
-- NULL: the lateness is that of a ping.
ALTER TABLE latenesses ADD COLUMN usual REAL;

-- Up to which ping it is known which runs of a check were slow, where anybody is told of
-- that: what comes after a crash goes on from there.
CREATE TABLE paces (
    check_id INTEGER PRIMARY KEY REFERENCES checks (id) ON DELETE CASCADE,
    n INTEGER NOT NULL
);
