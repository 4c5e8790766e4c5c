-- Finer rules, maintenance, what is told of checks that are late and of slow runs, and reports.

-- What was missed last, where a check goes down at the second or a later bad outcome: the
-- expected ping counts from it. NULL: the last outcome was a ping.
ALTER TABLE check_states ADD COLUMN missed REAL;
-- Runs that are open, the oldest first, where each has its own end. JSON: [[when it
-- started, its rid or null, whether it was too long and that was told], ...]; '': none.
ALTER TABLE check_states ADD COLUMN open_runs TEXT NOT NULL DEFAULT '';

-- By how much maintenance windows have moved alert_after, in seconds.
ALTER TABLE check_states ADD COLUMN spared REAL NOT NULL DEFAULT 0;
CREATE INDEX check_states_spared ON check_states (check_id) WHERE spared > 0;

-- Windows that were opened by hand; those of hcl.toml are not here. One that is over
-- stays for a while, since what was due in it has its grace from its end.
CREATE TABLE windows (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice
    project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    reason TEXT NOT NULL,             -- one line; '' if nobody gave one
    tags TEXT NOT NULL,               -- separated by spaces; '': all checks
    "start" REAL NOT NULL,
    "end" REAL NOT NULL
);
CREATE INDEX windows_end ON windows ("end");

-- Being late, as an event: each time that people were told of it.
ALTER TABLE check_states ADD COLUMN late_since REAL;  -- the lateness that was seen to began then; NULL: none was
CREATE INDEX channels_late ON channels (id) WHERE on_late;
CREATE TABLE latenesses (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice
    check_id INTEGER NOT NULL REFERENCES checks (id) ON DELETE CASCADE,
    began REAL NOT NULL,              -- when its ping was due
    ended REAL,                       -- when it pinged; NULL: it has not, or is down by now
    n_pings INTEGER NOT NULL          -- number of the last ping up to its beginning; 0: none
);
CREATE INDEX latenesses_check ON latenesses (check_id, id);

-- Messages of a lateness have a check and no flip; SQLite cannot change a CHECK.
CREATE TABLE newer_notifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    flip_id INTEGER REFERENCES flips (id) ON DELETE CASCADE,
    check_id INTEGER REFERENCES checks (id) ON DELETE CASCADE,
    announcement_id INTEGER REFERENCES announcements (id) ON DELETE CASCADE,
    lateness_id INTEGER REFERENCES latenesses (id) ON DELETE CASCADE,
    is_end INTEGER NOT NULL DEFAULT 0,    -- 1: it tells that the lateness is over
    channel_id INTEGER NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
    created REAL NOT NULL,
    ran REAL NOT NULL DEFAULT 0,          -- seconds that hcl had run by then: its age goes by that
    attempts INTEGER NOT NULL DEFAULT 0,  -- failed tries so far
    next_try REAL,                    -- NULL: finished
    sent REAL,                        -- when it was taken; NULL and finished: given up
    answer TEXT NOT NULL DEFAULT '',  -- what the last try heard, or why it failed
    reminder INTEGER NOT NULL DEFAULT 0,  -- 1, 2 …: repeats
    hold TEXT NOT NULL DEFAULT '',    -- delay, remind, quiet (hours), fold; '': it was not put off
    notice TEXT NOT NULL DEFAULT '',  -- of the channel that could not deliver it; '': its own
    handed_on INTEGER NOT NULL DEFAULT 0,  -- to the fallback
    CHECK ((check_id IS NULL) = (announcement_id IS NOT NULL)),
    CHECK ((flip_id IS NOT NULL) + (lateness_id IS NOT NULL)
        + (announcement_id IS NOT NULL) = 1)
);
INSERT INTO newer_notifications (id, flip_id, check_id, announcement_id, channel_id,
    created, ran, attempts, next_try, sent, answer, reminder, hold, notice, handed_on)
SELECT id, flip_id, check_id, announcement_id, channel_id, created, ran, attempts,
    next_try, sent, answer, reminder, hold, notice, handed_on
FROM notifications;
-- The greatest id that was ever given stays known.
DELETE FROM sqlite_sequence WHERE name = 'newer_notifications';
INSERT INTO sqlite_sequence (name, seq)
SELECT 'newer_notifications', seq FROM sqlite_sequence WHERE name = 'notifications';
DROP TABLE notifications;
ALTER TABLE newer_notifications RENAME TO notifications;
CREATE INDEX notifications_waiting ON notifications (channel_id, check_id, id)
    WHERE next_try IS NOT NULL;
CREATE INDEX notifications_next ON notifications (channel_id, next_try)
    WHERE next_try IS NOT NULL;
CREATE INDEX notifications_flip ON notifications (flip_id);
CREATE INDEX notifications_check ON notifications (check_id);
CREATE INDEX notifications_announcement ON notifications (announcement_id)
    WHERE announcement_id IS NOT NULL;
CREATE INDEX notifications_lateness ON notifications (lateness_id)
    WHERE lateness_id IS NOT NULL;
CREATE INDEX notifications_created ON notifications (created);

-- What reports tell in full: JSON, a list of [title, [[name, text, code, cells, bar], ...],
-- how many more]; the story of an announcement is short.
ALTER TABLE announcements ADD COLUMN sections TEXT NOT NULL DEFAULT '[]';

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
