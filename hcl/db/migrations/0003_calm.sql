-- Since when a channel fails: a message was refused for good, or failed several times.
ALTER TABLE channels ADD COLUMN failing_since REAL;  -- NULL: it delivers

-- The newest messages of the outbox may be held on purpose, repeat others, or come from
-- another channel.
ALTER TABLE notifications ADD COLUMN reminder INTEGER NOT NULL DEFAULT 0;  -- 1, 2 …: repeats
-- Why it was put off: delay, remind, quiet (hours), fold; '': it was not.
ALTER TABLE notifications ADD COLUMN hold TEXT NOT NULL DEFAULT '';
-- What is told of the channel that could not deliver it; '': it is the channel's own.
ALTER TABLE notifications ADD COLUMN notice TEXT NOT NULL DEFAULT '';
ALTER TABLE notifications ADD COLUMN handed_on INTEGER NOT NULL DEFAULT 0;  -- to the fallback
CREATE INDEX notifications_next ON notifications (channel_id, next_try)
    WHERE next_try IS NOT NULL;

-- Messages name other checks that are down: there are few, and this is written rarely.
CREATE INDEX check_states_down ON check_states (check_id) WHERE status = 'down';

-- Every try to deliver a message.
CREATE TABLE tries (
    id INTEGER PRIMARY KEY,
    notification_id INTEGER NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
    created REAL NOT NULL,            -- when it began
    seconds REAL NOT NULL,            -- how long it took
    sent INTEGER NOT NULL,            -- 1: the message was taken
    answer TEXT NOT NULL              -- what was heard, or why it failed
);
CREATE INDEX tries_notification ON tries (notification_id);
