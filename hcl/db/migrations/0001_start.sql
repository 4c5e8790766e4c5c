-- Times are unix seconds in UTC, lengths are seconds, both REAL. Booleans are 0 or 1.

-- What the server itself must remember: its secret, for one.
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- One row for each [[projects]] of hcl.toml.
CREATE TABLE projects (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,        -- UUID
    name TEXT NOT NULL,
    ping_key TEXT UNIQUE,             -- NULL while the project is not in the file
    badge_key TEXT NOT NULL UNIQUE,
    check_limit INTEGER NOT NULL,
    enabled INTEGER NOT NULL          -- 0: taken out of the file; its checks stay
);

-- One row for each [[projects.channels]] of hcl.toml.
CREATE TABLE channels (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,        -- UUID; the API's "id"
    project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    enabled INTEGER NOT NULL,         -- 0: taken out of the file; its history stays
    on_down INTEGER NOT NULL,         -- whether a flip to down goes out over it
    on_up INTEGER NOT NULL,           -- whether a flip to up goes out over it
    last_sent REAL,                   -- when it last delivered a message
    last_error TEXT NOT NULL DEFAULT ''  -- of the last try; '' after a success
);
CREATE INDEX channels_project ON channels (project_id);

CREATE TABLE checks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice
    project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    code TEXT NOT NULL UNIQUE,        -- UUID, lower case
    unique_key TEXT NOT NULL UNIQUE,  -- hex SHA-1 of the code's first 16 hex digits
    badge_key TEXT NOT NULL UNIQUE,   -- UUID
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    tags TEXT NOT NULL,               -- separated by spaces
    "desc" TEXT NOT NULL,
    kind TEXT NOT NULL,               -- simple, cron, oncalendar
    timeout REAL NOT NULL,            -- counts for simple
    grace REAL NOT NULL,
    schedule TEXT NOT NULL,           -- counts for cron and oncalendar, as does tz
    tz TEXT NOT NULL,
    methods TEXT NOT NULL,            -- '' or 'POST'
    manual_resume INTEGER NOT NULL,
    start_kw TEXT NOT NULL,           -- keywords are separated by commas
    success_kw TEXT NOT NULL,
    failure_kw TEXT NOT NULL,
    filter_subject INTEGER NOT NULL,
    filter_body INTEGER NOT NULL,
    filter_http_body INTEGER NOT NULL,
    filter_default_fail INTEGER NOT NULL
);
CREATE INDEX checks_slug ON checks (project_id, slug);

-- How each check fares. Apart from its settings, since every ping writes such a row, and
-- small rows share the pages that have to be synced.
CREATE TABLE check_states (
    check_id INTEGER PRIMARY KEY REFERENCES checks (id) ON DELETE CASCADE,
    status TEXT NOT NULL,             -- new, up, down, paused
    n_pings INTEGER NOT NULL,         -- pings ever received; the newest ping's n
    last_ping REAL,                   -- the last success or fail
    last_start REAL,                  -- NULL: no run is open
    last_start_rid TEXT,
    last_duration REAL,               -- of the last run; NULL: not known
    alert_after REAL,                 -- when it goes down; NULL: it cannot
    -- When the checker looks at it: at alert_after, or before, since a ping that moves
    -- the deadline away leaves this as it is, and so need not touch the index.
    look_at REAL
);
CREATE INDEX check_states_look_at ON check_states (look_at) WHERE look_at IS NOT NULL;

-- Which channels a check uses.
CREATE TABLE checks_channels (
    check_id INTEGER NOT NULL REFERENCES checks (id) ON DELETE CASCADE,
    channel_id INTEGER NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
    PRIMARY KEY (check_id, channel_id)
) WITHOUT ROWID;
CREATE INDEX checks_channels_channel ON checks_channels (channel_id);

-- Kept by check and number, so that a check's log lies together on the disk: it is
-- read, and pruned, in a few pages.
CREATE TABLE pings (
    check_id INTEGER NOT NULL REFERENCES checks (id) ON DELETE CASCADE,
    n INTEGER NOT NULL,               -- 1, 2, 3 … for each check
    created REAL NOT NULL,
    action TEXT NOT NULL,             -- success, fail, start, log, ign
    scheme TEXT NOT NULL,             -- http, https, email
    remote_addr TEXT NOT NULL,
    method TEXT NOT NULL,
    ua TEXT NOT NULL,
    rid TEXT,                         -- UUID of the run, lower case
    exitstatus INTEGER,
    body BLOB NOT NULL,
    PRIMARY KEY (check_id, n)
) WITHOUT ROWID;

CREATE TABLE flips (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice
    check_id INTEGER NOT NULL REFERENCES checks (id) ON DELETE CASCADE,
    created REAL NOT NULL,
    old_status TEXT NOT NULL,
    new_status TEXT NOT NULL,
    reason TEXT NOT NULL,             -- '', fail, timeout
    n_pings INTEGER NOT NULL          -- number of the last ping up to the flip; 0: none
);
CREATE INDEX flips_check ON flips (check_id, created);
CREATE INDEX flips_created ON flips (created);

-- The outbox: written with the flip, ticked off after the message was taken.
CREATE TABLE notifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    flip_id INTEGER NOT NULL REFERENCES flips (id) ON DELETE CASCADE,
    check_id INTEGER NOT NULL REFERENCES checks (id) ON DELETE CASCADE,
    channel_id INTEGER NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
    created REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,  -- failed tries so far
    next_try REAL,                    -- NULL: finished
    sent REAL,                        -- when it was taken; NULL and finished: given up
    answer TEXT NOT NULL DEFAULT ''   -- what the last try heard, or why it failed
);
CREATE INDEX notifications_waiting ON notifications (channel_id, check_id, id)
    WHERE next_try IS NOT NULL;
CREATE INDEX notifications_flip ON notifications (flip_id);
CREATE INDEX notifications_check ON notifications (check_id);
CREATE INDEX notifications_created ON notifications (created);
