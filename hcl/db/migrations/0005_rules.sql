-- What was missed last, where a check goes down at the second or a later bad outcome: the
-- expected ping counts from it. NULL: the last outcome was a ping.
ALTER TABLE check_states ADD COLUMN missed REAL;
-- Runs that are open, the oldest first, where each has its own end. JSON: [[when it
-- started, its rid or null, whether it was too long and that was told], ...]; '': none.
ALTER TABLE check_states ADD COLUMN open_runs TEXT NOT NULL DEFAULT '';
