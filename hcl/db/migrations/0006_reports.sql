-- What reports tell in full: JSON, a list of [title, [[name, text, code, cells, bar], ...],
-- how many more]; the story of an announcement is short.
ALTER TABLE announcements ADD COLUMN sections TEXT NOT NULL DEFAULT '[]';
