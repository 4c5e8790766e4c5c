-- The logs, one after another: a ping's key is check_id * 2^32 + n. A table with an
-- integer key keeps bodies of up to 4 kB in its own pages, where one WITHOUT ROWID spends
-- another page on all above 1 kB.
ALTER TABLE pings RENAME TO old_pings;
CREATE TABLE pings (
    "key" INTEGER PRIMARY KEY,
    check_id INTEGER AS ("key" >> 32),
    n INTEGER AS ("key" & 4294967295),  -- 1, 2, 3 … for each check
    created REAL NOT NULL,
    action TEXT NOT NULL,             -- success, fail, start, log, ign
    scheme TEXT NOT NULL,             -- http, https, email
    remote_addr TEXT NOT NULL,
    method TEXT NOT NULL,
    ua TEXT NOT NULL,
    rid TEXT,                         -- UUID of the run, lower case
    exitstatus INTEGER,
    body BLOB NOT NULL
);
INSERT INTO pings SELECT (check_id << 32) + n, created, action, scheme, remote_addr, method,
    ua, rid, exitstatus, body FROM old_pings ORDER BY check_id, n;
DROP TABLE old_pings;

CREATE TRIGGER checks_deleted AFTER DELETE ON checks BEGIN
    DELETE FROM pings WHERE "key" BETWEEN old.id << 32 AND (old.id << 32) + 4294967295;
END;

-- Pings that have come in, in their order, and are not in their check's log yet. To
-- append here syncs few pages, however many checks there are; the filer takes them to
-- the logs, many at a time. A ping whose n is above its check's n_pings is not counted
-- in check_states yet either.
CREATE TABLE inbox (
    id INTEGER PRIMARY KEY,
    check_id INTEGER NOT NULL,        -- maybe of a check that was deleted meanwhile
    n INTEGER NOT NULL,
    created REAL NOT NULL,
    action TEXT NOT NULL,
    scheme TEXT NOT NULL,
    remote_addr TEXT NOT NULL,
    method TEXT NOT NULL,
    ua TEXT NOT NULL,
    rid TEXT,
    exitstatus INTEGER,
    body BLOB NOT NULL
);

-- Each check's log, whether its pings are filed yet or not.
CREATE VIEW log AS
SELECT "key", check_id, n, created, action, scheme, remote_addr, method, ua, rid,
    exitstatus, body
FROM pings
UNION ALL
SELECT (check_id << 32) + n, check_id, n, created, action, scheme, remote_addr, method, ua,
    rid, exitstatus, body
FROM inbox
-- While the filer is at work a ping may be in both.
WHERE NOT EXISTS (
    SELECT 1 FROM pings p WHERE p."key" = (inbox.check_id << 32) + inbox.n
);
