-- Maintenance, and what is told of checks that are late.

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
