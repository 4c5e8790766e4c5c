-- Time, absence, and what the monitor tells of itself. To go back to the version before,
-- see docs/upgrading.md: the copy that was set aside before this ran.

-- What an absence of hcl did to a check. The next success or fail that is heard clears
-- them all.
ALTER TABLE check_states ADD COLUMN counted_from REAL;  -- the expected ping counts from it, not from last_ping; NULL: from that
ALTER TABLE check_states ADD COLUMN excused INTEGER NOT NULL DEFAULT 0;  -- absences that had it counted so
ALTER TABLE check_states ADD COLUMN not_before REAL;    -- it is not called down for missing before; NULL: at its deadline
ALTER TABLE check_states ADD COLUMN run_excused INTEGER NOT NULL DEFAULT 0;  -- 1: the open run has no deadline of its own
ALTER TABLE check_states ADD COLUMN muted_until REAL;   -- nobody is told before; NULL: not muted
-- Bad outcomes in a row, where a check goes down at the second or a later one.
ALTER TABLE check_states ADD COLUMN bad_outcomes INTEGER NOT NULL DEFAULT 0;

ALTER TABLE checks ADD COLUMN origin TEXT NOT NULL DEFAULT '';  -- file: declared in hcl.toml
ALTER TABLE checks ADD COLUMN max_run REAL;             -- a run must end so soon; NULL: within grace
ALTER TABLE checks ADD COLUMN min_run REAL;             -- a success that ends it sooner is a fail; NULL: none is
ALTER TABLE checks ADD COLUMN down_after INTEGER NOT NULL DEFAULT 1;  -- it goes down at so many bad outcomes in a row
ALTER TABLE checks ADD COLUMN early REAL NOT NULL DEFAULT 0;  -- a success so long before an occurrence counts for it

ALTER TABLE channels ADD COLUMN on_late INTEGER NOT NULL DEFAULT 0;    -- whether it tells that grace begins
ALTER TABLE channels ADD COLUMN on_server INTEGER NOT NULL DEFAULT 0;  -- whether it tells of hcl itself

-- Failed tries in a row, as the sender counts them: a restart goes on from there.
ALTER TABLE channels ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
UPDATE channels SET failures = iif(failing_since IS NULL, last_error != '', 3);

-- Where each channel has been: it serves all checks of a project at its first coming,
-- and at its return those that it served before.
CREATE TABLE channels_projects (
    channel_id INTEGER NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
    project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    PRIMARY KEY (channel_id, project_id)
) WITHOUT ROWID;
INSERT INTO channels_projects SELECT id, project_id FROM channels;

-- The sign of life: when hcl was there last. One row.
CREATE TABLE life (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    boot_id TEXT NOT NULL,            -- the kernel's name of the boot; '' where it is not shown
    boot REAL NOT NULL,               -- CLOCK_BOOTTIME
    moment REAL NOT NULL,             -- hcl's time then
    ran REAL NOT NULL,                -- seconds that hcl has run since the database was made
    was_synchronised INTEGER NOT NULL -- 1: the wall has been known to be right once
);

-- When hcl was not there, and what it could not know of.
CREATE TABLE absences (
    id INTEGER PRIMARY KEY,
    went REAL NOT NULL,
    returned REAL NOT NULL,
    reason TEXT NOT NULL,             -- stopped, suspended, starved, clock, restored
    judged INTEGER NOT NULL DEFAULT 0 -- 1: every check has been judged
);

-- The last ids of each day that hcl ran: what is deleted by age goes by them, since
-- stamps may be wrong. Rows of the version before are as old as this migration.
CREATE TABLE marks (
    day INTEGER PRIMARY KEY,          -- whole days that hcl had run
    flip_id INTEGER NOT NULL,
    notification_id INTEGER NOT NULL,
    announcement_id INTEGER NOT NULL
);

-- What is told of hcl itself, and of no check.
CREATE TABLE announcements (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER REFERENCES projects (id) ON DELETE CASCADE,  -- NULL: all projects
    created REAL NOT NULL,
    kind TEXT NOT NULL,               -- absence, reload, restore, backup, test, replication, report
    subject TEXT NOT NULL,            -- one line
    story TEXT NOT NULL               -- JSON: paragraphs, each a string
);

-- Messages of an announcement have no check and no flip; SQLite cannot drop NOT NULL.
CREATE TABLE new_notifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    flip_id INTEGER REFERENCES flips (id) ON DELETE CASCADE,
    check_id INTEGER REFERENCES checks (id) ON DELETE CASCADE,
    announcement_id INTEGER REFERENCES announcements (id) ON DELETE CASCADE,
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
    CHECK ((flip_id IS NULL) = (check_id IS NULL)),
    CHECK ((flip_id IS NULL) != (announcement_id IS NULL))
);
INSERT INTO new_notifications (id, flip_id, check_id, channel_id, created, attempts,
    next_try, sent, answer, reminder, hold, notice, handed_on)
SELECT id, flip_id, check_id, channel_id, created, attempts, next_try, sent, answer,
    reminder, hold, notice, handed_on
FROM notifications;
-- The greatest id that was ever given stays known.
DELETE FROM sqlite_sequence WHERE name = 'new_notifications';
INSERT INTO sqlite_sequence (name, seq)
SELECT 'new_notifications', seq FROM sqlite_sequence WHERE name = 'notifications';
DROP TABLE notifications;
ALTER TABLE new_notifications RENAME TO notifications;
CREATE INDEX notifications_waiting ON notifications (channel_id, check_id, id)
    WHERE next_try IS NOT NULL;
CREATE INDEX notifications_next ON notifications (channel_id, next_try)
    WHERE next_try IS NOT NULL;
CREATE INDEX notifications_flip ON notifications (flip_id);
CREATE INDEX notifications_check ON notifications (check_id);
CREATE INDEX notifications_announcement ON notifications (announcement_id)
    WHERE announcement_id IS NOT NULL;
CREATE INDEX notifications_created ON notifications (created);

-- Nothing is deleted by its stamp any more.
DROP INDEX flips_created;

-- The newest flip of a check is the one that was written last: ids tell, stamps may not.
CREATE INDEX flips_written ON flips (check_id, id);

-- A project's checks are read in slices, by their ids.
CREATE INDEX checks_project ON checks (project_id);
