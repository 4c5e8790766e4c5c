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
SELECT check_id, n, created, action, scheme, remote_addr, method, ua, rid, exitstatus,
    body
FROM pings
UNION ALL
SELECT check_id, n, created, action, scheme, remote_addr, method, ua, rid, exitstatus,
    body
FROM inbox
-- While the filer is at work a ping may be in both.
WHERE NOT EXISTS (
    SELECT 1 FROM pings p WHERE p.check_id = inbox.check_id AND p.n = inbox.n
);
