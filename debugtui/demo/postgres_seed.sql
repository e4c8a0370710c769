-- The database of the demo. Run by the owner `coach_owner` in the database `coach`.
CREATE TABLE athletes (
    id int PRIMARY KEY, name text NOT NULL, email text NOT NULL, city text, joined timestamptz NOT NULL, level int NOT NULL
);
INSERT INTO athletes
SELECT n, 'Athlete ' || n, 'athlete' || n || '@example.org', (ARRAY['Lyon','Nantes','Lille','Brest','Nice'])[1 + n % 5],
    now() - n * interval '7 hours', n % 9
FROM generate_series(1, 2500) n;

CREATE TABLE activities (
    id bigint PRIMARY KEY, athlete_id int NOT NULL REFERENCES athletes, started timestamptz NOT NULL, sport text NOT NULL,
    metres int NOT NULL, seconds int NOT NULL, note text
);
INSERT INTO activities
SELECT n, 1 + n % 2500, now() - n * interval '11 minutes', (ARRAY['run','ride','swim','row'])[1 + n % 4],
    3000 + n % 17000, 900 + n % 7200, repeat('easy ', n % 7)
FROM generate_series(1, 12000) n;
CREATE INDEX activities_athlete ON activities (athlete_id);
-- Never used: nobody asks for one sport alone.
CREATE INDEX activities_sport ON activities (sport);

-- No index on athlete_id: every look at somebody's plan reads the whole table.
CREATE TABLE plans (id int PRIMARY KEY, athlete_id int NOT NULL, week int NOT NULL, goal text, load int NOT NULL);
INSERT INTO plans SELECT n, 1 + n % 2500, n % 50, 'goal ' || n % 40, n % 800 FROM generate_series(1, 20000) n;

-- Most of it dead: rows come and go, and vacuum is switched off for it.
CREATE TABLE sessions_log (id bigint PRIMARY KEY, athlete_id int, at timestamptz, agent text) WITH (autovacuum_enabled = off);
INSERT INTO sessions_log SELECT n, n % 2500, now() - n * interval '1 minute', repeat('Mozilla/5.0 ', 8) FROM generate_series(1, 9000) n;
UPDATE sessions_log SET agent = agent || 'x' WHERE id % 2 = 0;
DELETE FROM sessions_log WHERE id % 5 <> 0;

GRANT USAGE ON SCHEMA public TO coach_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO coach_app;
-- Not to read the rows: without it a role does not see the planner's statistics, from which bloat is estimated.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO monitor;
ANALYZE;
