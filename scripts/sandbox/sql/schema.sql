-- The sandbox's state. Flyte's messages are kept as they are sent (protobuf, BLOB); what is searched for,
-- sorted by or decided on is a column beside them. Times are ISO 8601 in UTC with microseconds.

CREATE TABLE IF NOT EXISTS projects (
    id          TEXT PRIMARY KEY,
    message     BLOB NOT NULL,               -- flyteidl.admin.Project
    name        TEXT NOT NULL,
    state       INTEGER NOT NULL DEFAULT 0,  -- flyteidl.admin.Project.ProjectState
    created_at  TEXT NOT NULL
);

-- Tasks, workflows and launch plans: immutable but for a launch plan's state.
CREATE TABLE IF NOT EXISTS entities (
    resource_type INTEGER NOT NULL,          -- flyteidl.core.ResourceType
    project       TEXT NOT NULL,
    domain        TEXT NOT NULL,
    name          TEXT NOT NULL,
    version       TEXT NOT NULL,
    digest        BLOB NOT NULL,             -- of what admin compares: compiled task, closure, launch plan
    message       BLOB NOT NULL,             -- flyteidl.admin.Task, .Workflow or .LaunchPlan
    state         INTEGER NOT NULL DEFAULT 0,  -- flyteidl.admin.LaunchPlanState
    kind          TEXT NOT NULL DEFAULT '',  -- type of a task; CRON, RATE or NONE of a launch plan
    workflow      INTEGER,                   -- rowid of a launch plan's workflow
    created_at    TEXT NOT NULL,
    updated_at    TEXT NOT NULL,
    PRIMARY KEY (resource_type, project, domain, name, version)
);
CREATE UNIQUE INDEX IF NOT EXISTS one_active_launch_plan
    ON entities (project, domain, name) WHERE resource_type = 3 AND state = 1;
CREATE INDEX IF NOT EXISTS entities_by_time ON entities (resource_type, project, domain, created_at);

-- The schedules of active launch plans. A tick is queued in the transaction that sees that it is due, so that
-- it belongs to the version which is active then, and is fired afterwards.
CREATE TABLE IF NOT EXISTS schedules (
    project     TEXT NOT NULL,
    domain      TEXT NOT NULL,
    name        TEXT NOT NULL,
    version     TEXT NOT NULL,
    schedule    BLOB NOT NULL,               -- flyteidl.admin.Schedule
    last        TEXT NOT NULL,               -- the last tick that was queued, or the activation
    PRIMARY KEY (project, domain, name)
);
CREATE TABLE IF NOT EXISTS scheduled_ticks (
    project     TEXT NOT NULL,
    domain      TEXT NOT NULL,
    name        TEXT NOT NULL,
    version     TEXT NOT NULL,
    at          TEXT NOT NULL,
    kickoff     TEXT NOT NULL,               -- the input that gets the time, '' where there is none
    PRIMARY KEY (project, domain, name, version, at)
);

CREATE TABLE IF NOT EXISTS named_entities (
    resource_type INTEGER NOT NULL,
    project       TEXT NOT NULL,
    domain        TEXT NOT NULL,
    name          TEXT NOT NULL,
    state         INTEGER NOT NULL DEFAULT 0,  -- flyteidl.admin.NamedEntityState
    description   TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (resource_type, project, domain, name)
);

-- Matchable resources; '' stands for "any".
CREATE TABLE IF NOT EXISTS attributes (
    resource    INTEGER NOT NULL,            -- flyteidl.admin.MatchableResource
    project     TEXT NOT NULL,
    domain      TEXT NOT NULL DEFAULT '',
    workflow    TEXT NOT NULL DEFAULT '',
    message     BLOB NOT NULL,               -- flyteidl.admin.MatchingAttributes
    PRIMARY KEY (resource, project, domain, workflow)
);

CREATE TABLE IF NOT EXISTS executions (
    project       TEXT NOT NULL,
    domain        TEXT NOT NULL,
    name          TEXT NOT NULL,
    launch_plan   TEXT NOT NULL,             -- name of the launch plan (or task) that was launched
    workflow      TEXT NOT NULL,             -- name of the workflow that runs
    version       TEXT NOT NULL,             -- of the launch plan
    phase         INTEGER NOT NULL,          -- flyteidl.core.WorkflowExecution.Phase
    mode          INTEGER NOT NULL,          -- flyteidl.admin.ExecutionMetadata.ExecutionMode
    principal     TEXT NOT NULL DEFAULT '',
    message       BLOB NOT NULL,             -- flyteidl.admin.Execution
    closure       BLOB NOT NULL,             -- flyteidl.core.CompiledWorkflowClosure that runs
    inputs        BLOB NOT NULL DEFAULT x'', -- flyteidl.core.LiteralMap: with defaults and fixed inputs
    user_inputs   BLOB NOT NULL DEFAULT x'', -- flyteidl.core.LiteralMap: as the request had them
    config        BLOB NOT NULL DEFAULT x'', -- flyteidl.admin.WorkflowExecutionConfig, merged
    parent_node   TEXT,                      -- unique node id in the parent execution, if it is a child
    parent_name   TEXT,
    state         INTEGER NOT NULL DEFAULT 0,  -- flyteidl.admin.ExecutionState
    error_kind    INTEGER,
    error_code    TEXT,
    created_at    TEXT NOT NULL,
    updated_at    TEXT NOT NULL,
    started_at    TEXT,
    duration_us   INTEGER,
    PRIMARY KEY (project, domain, name)
);
CREATE INDEX IF NOT EXISTS executions_by_time ON executions (project, domain, created_at);
CREATE INDEX IF NOT EXISTS executions_by_phase ON executions (phase);

CREATE TABLE IF NOT EXISTS signals (
    project     TEXT NOT NULL,
    domain      TEXT NOT NULL,
    execution   TEXT NOT NULL,
    signal_id   TEXT NOT NULL,
    message     BLOB NOT NULL,               -- flyteidl.admin.Signal
    created_at  TEXT NOT NULL,
    PRIMARY KEY (project, domain, execution, signal_id)
);

-- One row per node that was reached. What the engine decides by is a column; what clients see is `message`.
CREATE TABLE IF NOT EXISTS node_executions (
    project       TEXT NOT NULL,
    domain        TEXT NOT NULL,
    execution     TEXT NOT NULL,
    node_id       TEXT NOT NULL,             -- unique in the execution
    parent_id     TEXT NOT NULL DEFAULT '',  -- unique id of the parent node, '' at the top
    spec_node_id  TEXT NOT NULL,             -- the id in its workflow
    kind          TEXT NOT NULL,             -- see nodes.Kind
    phase         INTEGER NOT NULL,          -- flyteidl.core.NodeExecution.Phase
    message       BLOB NOT NULL,             -- flyteidl.admin.NodeExecution
    data_dir      TEXT NOT NULL,             -- folder of its data, relative to the storage's root
    attempt       INTEGER NOT NULL DEFAULT 0,
    system_failures INTEGER NOT NULL DEFAULT 0,
    queued_at     TEXT,
    attempt_at    TEXT,                      -- when the current attempt began
    outcome       TEXT NOT NULL DEFAULT '',  -- of the current attempt: see nodes.Outcome
    error         BLOB,                      -- flyteidl.core.ExecutionError: the attempt's, or the node's
    choice        TEXT NOT NULL DEFAULT '',  -- of a branch: the id of the node it took
    child         TEXT NOT NULL DEFAULT '',  -- of a launch-plan node: the name of its execution
    closure       BLOB,                      -- of a dynamic: flyteidl.core.CompiledWorkflowClosure
    error_kind    INTEGER,
    error_code    TEXT,
    created_at    TEXT NOT NULL,
    updated_at    TEXT NOT NULL,
    started_at    TEXT,
    duration_us   INTEGER,
    PRIMARY KEY (project, domain, execution, node_id)
);
CREATE INDEX IF NOT EXISTS node_executions_by_parent
    ON node_executions (project, domain, execution, parent_id, created_at);

CREATE TABLE IF NOT EXISTS task_executions (
    project       TEXT NOT NULL,             -- of the execution, as domain and execution are
    domain        TEXT NOT NULL,
    execution     TEXT NOT NULL,
    node_id       TEXT NOT NULL,
    retry_attempt INTEGER NOT NULL,
    task_project  TEXT NOT NULL,
    task_domain   TEXT NOT NULL,
    task_name     TEXT NOT NULL,
    task_version  TEXT NOT NULL,
    phase         INTEGER NOT NULL,          -- flyteidl.core.TaskExecution.Phase
    message       BLOB NOT NULL,             -- flyteidl.admin.TaskExecution
    created_at    TEXT NOT NULL,
    updated_at    TEXT NOT NULL,
    started_at    TEXT,
    duration_us   INTEGER,
    PRIMARY KEY (project, domain, execution, node_id, retry_attempt)
);

-- Labels of executions (key and value), and their tags (no value), for filters of lists. There is no index by
-- tag on purpose: lists go by time and stop when a page is full, and SQLite would rather sort all of a tag's.
CREATE TABLE IF NOT EXISTS execution_tags (
    project     TEXT NOT NULL,
    domain      TEXT NOT NULL,
    execution   TEXT NOT NULL,
    key         TEXT NOT NULL,
    value       TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (project, domain, execution, key, value)
);

-- One row per item of an array node that has begun.
CREATE TABLE IF NOT EXISTS array_items (
    project       TEXT NOT NULL,
    domain        TEXT NOT NULL,
    execution     TEXT NOT NULL,
    node_id       TEXT NOT NULL,             -- unique id of the array node
    node_attempt  INTEGER NOT NULL,          -- the attempt of the array node
    item          INTEGER NOT NULL,          -- counts from 0
    phase         TEXT NOT NULL DEFAULT 'waiting',  -- see array_items.Phase
    attempt       INTEGER NOT NULL DEFAULT 0,
    system_failures INTEGER NOT NULL DEFAULT 0,
    attempt_at    TEXT,                      -- when the current attempt began
    outcome       TEXT NOT NULL DEFAULT '',  -- of the current attempt: see nodes.Outcome
    error         BLOB,                      -- flyteidl.core.ExecutionError
    PRIMARY KEY (project, domain, execution, node_id, node_attempt, item)
);

-- The data catalog. A data set is a task with its interface and cache version, a tag stands for its inputs.
CREATE TABLE IF NOT EXISTS cache_datasets (
    project       TEXT NOT NULL,
    domain        TEXT NOT NULL,
    name          TEXT NOT NULL,
    version       TEXT NOT NULL,
    task_version  TEXT NOT NULL,             -- of the task that was the first to keep something in it
    PRIMARY KEY (project, domain, name, version)
);

CREATE TABLE IF NOT EXISTS cache_artifacts (
    project       TEXT NOT NULL,
    domain        TEXT NOT NULL,
    name          TEXT NOT NULL,
    version       TEXT NOT NULL,
    tag           TEXT NOT NULL,
    artifact_id   TEXT NOT NULL,
    outputs       BLOB NOT NULL,             -- flyteidl.core.LiteralMap
    source        BLOB NOT NULL,             -- flyteidl.core.TaskExecutionIdentifier
    PRIMARY KEY (project, domain, name, version, tag)
);

-- Who works on a result that is not there yet: a node, or one item of an array node (else -1).
CREATE TABLE IF NOT EXISTS cache_reservations (
    project       TEXT NOT NULL,
    domain        TEXT NOT NULL,
    name          TEXT NOT NULL,
    version       TEXT NOT NULL,
    tag           TEXT NOT NULL,
    owner_project TEXT NOT NULL,
    owner_domain  TEXT NOT NULL,
    owner         TEXT NOT NULL,             -- name of the execution
    node_id       TEXT NOT NULL,
    item          INTEGER NOT NULL,
    PRIMARY KEY (project, domain, name, version, tag)
);

-- Who waits for a reservation of somebody else.
CREATE TABLE IF NOT EXISTS cache_waits (
    owner_project TEXT NOT NULL,
    owner_domain  TEXT NOT NULL,
    owner         TEXT NOT NULL,
    node_id       TEXT NOT NULL,
    item          INTEGER NOT NULL,
    project       TEXT NOT NULL,
    domain        TEXT NOT NULL,
    name          TEXT NOT NULL,
    version       TEXT NOT NULL,
    tag           TEXT NOT NULL,
    PRIMARY KEY (owner_project, owner_domain, owner, node_id, item)
);
