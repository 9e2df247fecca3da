-- name: project
SELECT * FROM projects WHERE id = :id;

-- name: add_project
INSERT INTO projects (id, message, name, state, created_at)
VALUES (:id, :message, :name, :state, :created_at);

-- name: update_project
UPDATE projects SET message = :message, name = :name, state = :state WHERE id = :id;

-- name: entity
SELECT rowid, * FROM entities
WHERE resource_type = :resource_type AND project = :project AND domain = :domain
  AND name = :name AND version = :version;

-- name: first_entity
-- What a lookup with an empty field finds in flyteadmin: that field does not count, the first row wins.
SELECT rowid, * FROM entities
WHERE resource_type = :resource_type
  AND (:project = '' OR project = :project) AND (:domain = '' OR domain = :domain)
  AND (:name = '' OR name = :name) AND (:version = '' OR version = :version)
ORDER BY rowid LIMIT 1;

-- name: add_entity
INSERT INTO entities
  (resource_type, project, domain, name, version, digest, message, kind, workflow, created_at, updated_at)
VALUES
  (:resource_type, :project, :domain, :name, :version, :digest, :message, :kind, :workflow, :created_at,
   :created_at);

-- name: active_launch_plan
SELECT rowid, * FROM entities
WHERE resource_type = 3 AND state = 1 AND project = :project AND domain = :domain AND name = :name;

-- name: deactivate_launch_plans
UPDATE entities SET state = 0, updated_at = :updated_at
WHERE resource_type = 3 AND state = 1 AND project = :project AND domain = :domain AND name = :name
  AND version <> :version;

-- name: set_launch_plan_state
UPDATE entities SET state = :state, updated_at = :updated_at
WHERE resource_type = 3 AND project = :project AND domain = :domain
  AND name = :name AND version = :version;

-- name: named_entity
-- One row for each name that has a version, with its metadata where somebody has written any.
SELECT e.project, e.domain, e.name, n.state, n.description
FROM entities AS e LEFT JOIN named_entities AS n USING (resource_type, project, domain, name)
WHERE e.resource_type = :resource_type AND e.project = :project AND e.domain = :domain AND e.name = :name
LIMIT 1;

-- name: set_named_entity
-- An empty description leaves the one that is there.
INSERT INTO named_entities (resource_type, project, domain, name, state, description)
VALUES (:resource_type, :project, :domain, :name, :state, :description)
ON CONFLICT DO UPDATE SET state = :state,
  description = CASE WHEN :description = '' THEN description ELSE :description END;

-- name: nearest_attributes
-- The most specific of the rows that match; '' in a row matches anything.
SELECT * FROM attributes
WHERE resource = :resource AND project IN ('', :project) AND domain IN ('', :domain)
  AND workflow IN ('', :workflow)
ORDER BY (workflow <> '') DESC, (domain <> '') DESC LIMIT 1;

-- name: attributes
SELECT * FROM attributes
WHERE resource = :resource AND project = :project AND domain = :domain AND workflow = :workflow;

-- name: all_attributes
SELECT * FROM attributes WHERE resource = :resource
ORDER BY (workflow <> '') DESC, (domain <> '') DESC, rowid;

-- name: set_attributes
INSERT INTO attributes (resource, project, domain, workflow, message)
VALUES (:resource, :project, :domain, :workflow, :message)
ON CONFLICT DO UPDATE SET message = :message;

-- name: delete_attributes
-- As in flyteadmin an empty field does not count, so deleting a project's deletes those below it too.
DELETE FROM attributes
WHERE resource = :resource AND project = :project AND (:domain = '' OR domain = :domain)
  AND (:workflow = '' OR workflow = :workflow);

-- name: signal
SELECT * FROM signals
WHERE project = :project AND domain = :domain AND execution = :execution AND signal_id = :signal_id;

-- name: add_signal
INSERT INTO signals (project, domain, execution, signal_id, message, created_at)
VALUES (:project, :domain, :execution, :signal_id, :message, :created_at)
ON CONFLICT DO NOTHING;

-- name: set_signal
UPDATE signals SET message = :message
WHERE project = :project AND domain = :domain AND execution = :execution AND signal_id = :signal_id;
