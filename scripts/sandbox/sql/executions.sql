-- Executions and what happens inside them: nodes and attempts of tasks.

-- name: insert_execution
INSERT INTO executions
    (project, domain, name, launch_plan, workflow, version, phase, mode, principal, message, closure, inputs,
     user_inputs, config, parent_node, parent_name, created_at, updated_at)
VALUES
    (:project, :domain, :name, :launch_plan, :workflow, :version, :phase, :mode, :principal, :message, :closure,
     :inputs, :user_inputs, :config, :parent_node, :parent_name, :at, :at);

-- name: insert_execution_tag
INSERT OR REPLACE INTO execution_tags (project, domain, execution, key, value)
VALUES (:project, :domain, :execution, :key, :value);

-- name: get_execution
SELECT * FROM executions WHERE project = :project AND domain = :domain AND name = :name;

-- name: count_active_executions
-- Over all versions of the launch plan.
SELECT count(*) AS active FROM executions
WHERE project = :project AND domain = :domain AND launch_plan = :launch_plan AND phase IN (:queued, :running);

-- name: open_executions
-- Those that have not ended: not SUCCEEDED (4), FAILED (6), ABORTED (7) or TIMED_OUT (8).
SELECT project, domain, name FROM executions WHERE phase NOT IN (4, 6, 7, 8) ORDER BY created_at;

-- name: execution_phase
SELECT phase FROM executions WHERE project = :project AND domain = :domain AND name = :name;

-- name: abort_execution
UPDATE executions SET phase = :phase, message = :message
WHERE project = :project AND domain = :domain AND name = :name;

-- name: archive_execution
UPDATE executions SET state = :state, message = :message
WHERE project = :project AND domain = :domain AND name = :name;

-- name: update_execution
UPDATE executions SET phase = :phase, message = :message, updated_at = :updated_at, started_at = :started_at,
    duration_us = :duration_us, error_kind = :error_kind, error_code = :error_code
WHERE project = :project AND domain = :domain AND name = :name;

-- name: node_states
-- What the engine decides by; the message stays where it is.
SELECT node_id, parent_id, spec_node_id, kind, phase, data_dir, attempt, system_failures, queued_at, attempt_at,
    outcome, error, choice, child, closure IS NOT NULL AS is_dynamic
FROM node_executions WHERE project = :project AND domain = :domain AND execution = :execution
ORDER BY created_at, rowid;

-- name: dynamic_closure
SELECT closure FROM node_executions
WHERE project = :project AND domain = :domain AND execution = :execution AND node_id = :node_id;

-- name: insert_node
INSERT INTO node_executions
    (project, domain, execution, node_id, parent_id, spec_node_id, kind, phase, message, data_dir, queued_at,
     created_at, updated_at)
VALUES
    (:project, :domain, :execution, :node_id, :parent_id, :spec_node_id, :kind, :phase, :message, :data_dir,
     :queued_at, :created_at, :updated_at);

-- name: get_node
SELECT * FROM node_executions
WHERE project = :project AND domain = :domain AND execution = :execution AND node_id = :node_id;

-- name: update_node
UPDATE node_executions SET phase = :phase, message = :message, attempt = :attempt,
    system_failures = :system_failures, attempt_at = :attempt_at, outcome = :outcome, error = :error,
    choice = :choice, child = :child, closure = :closure, error_kind = :error_kind, error_code = :error_code,
    updated_at = :updated_at, started_at = :started_at, duration_us = :duration_us
WHERE project = :project AND domain = :domain AND execution = :execution AND node_id = :node_id;

-- name: insert_attempt
INSERT INTO task_executions
    (project, domain, execution, node_id, retry_attempt, task_project, task_domain, task_name, task_version,
     phase, message, created_at, updated_at)
VALUES
    (:project, :domain, :execution, :node_id, :retry_attempt, :task_project, :task_domain, :task_name,
     :task_version, :phase, :message, :created_at, :updated_at);

-- name: get_attempt
SELECT * FROM task_executions
WHERE project = :project AND domain = :domain AND execution = :execution AND node_id = :node_id
    AND retry_attempt = :retry_attempt;

-- name: update_attempt
UPDATE task_executions SET phase = :phase, message = :message, updated_at = :updated_at,
    started_at = :started_at, duration_us = :duration_us
WHERE project = :project AND domain = :domain AND execution = :execution AND node_id = :node_id
    AND retry_attempt = :retry_attempt;

-- name: open_attempts
-- Attempts that had not ended: not SUCCEEDED (3), ABORTED (4) or FAILED (5). Array nodes have items instead.
SELECT project, domain, execution, node_id, retry_attempt
FROM task_executions JOIN node_executions n USING (project, domain, execution, node_id)
WHERE task_executions.phase NOT IN (3, 4, 5) AND n.kind <> 'array';

-- name: nodes_below
SELECT message FROM node_executions
WHERE project = :project AND domain = :domain AND execution = :execution AND parent_id = :parent_id
ORDER BY created_at, rowid;

-- name: attempts_of_node
SELECT message FROM task_executions
WHERE project = :project AND domain = :domain AND execution = :execution AND node_id = :node_id
ORDER BY retry_attempt;
