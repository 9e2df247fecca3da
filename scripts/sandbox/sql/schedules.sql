-- Schedules of active launch plans, and their ticks that are due.

-- name: schedules
SELECT * FROM schedules ORDER BY project, domain, name;

-- name: schedule
SELECT * FROM schedules WHERE project = :project AND domain = :domain AND name = :name;

-- name: set_schedule
-- A version that is activated once more keeps its rhythm.
INSERT INTO schedules (project, domain, name, version, schedule, last)
VALUES (:project, :domain, :name, :version, :schedule, :last)
ON CONFLICT DO UPDATE SET version = :version, schedule = :schedule, last = :last WHERE version <> :version;

-- name: remove_other_schedule
DELETE FROM schedules
WHERE project = :project AND domain = :domain AND name = :name AND version <> :version;

-- name: remove_schedule
DELETE FROM schedules
WHERE project = :project AND domain = :domain AND name = :name AND version = :version;

-- name: unscheduled_launch_plans
-- Active launch plans with a schedule that is not known here: those of a state from before there were any.
SELECT e.message FROM entities AS e LEFT JOIN schedules AS s USING (project, domain, name)
WHERE e.resource_type = 3 AND e.state = 1 AND e.kind <> 'NONE' AND s.name IS NULL;

-- name: queue_tick
INSERT OR IGNORE INTO scheduled_ticks (project, domain, name, version, at, kickoff)
VALUES (:project, :domain, :name, :version, :at, :kickoff);

-- name: schedule_ticked
UPDATE schedules SET last = :last WHERE project = :project AND domain = :domain AND name = :name;

-- name: queued_ticks
SELECT * FROM scheduled_ticks ORDER BY at, project, domain, name LIMIT :most;

-- name: remove_tick
DELETE FROM scheduled_ticks
WHERE project = :project AND domain = :domain AND name = :name AND version = :version AND at = :at;
