-- The data catalog: results of cached tasks, and who works on one that is missing.

-- name: add_dataset
INSERT OR IGNORE INTO cache_datasets (project, domain, name, version, task_version)
VALUES (:project, :domain, :name, :version, :task_version);

-- name: get_artifact
SELECT a.artifact_id, a.outputs, a.source, d.task_version
FROM cache_artifacts a JOIN cache_datasets d USING (project, domain, name, version)
WHERE a.project = :project AND a.domain = :domain AND a.name = :name AND a.version = :version AND a.tag = :tag;

-- name: add_artifact
-- The first one of a tag stays: whoever comes second has worked in vain.
INSERT OR IGNORE INTO cache_artifacts (project, domain, name, version, tag, artifact_id, outputs, source)
VALUES (:project, :domain, :name, :version, :tag, :artifact_id, :outputs, :source);

-- name: overwrite_artifact
UPDATE cache_artifacts SET outputs = :outputs, source = :source
WHERE project = :project AND domain = :domain AND name = :name AND version = :version AND tag = :tag;

-- name: reservation_of_others
-- A reservation does not outlive its execution: not SUCCEEDED (4), FAILED (6), ABORTED (7) or TIMED_OUT (8).
SELECT 1 FROM cache_reservations r JOIN executions e
    ON e.project = r.owner_project AND e.domain = r.owner_domain AND e.name = r.owner
WHERE r.project = :project AND r.domain = :domain AND r.name = :name AND r.version = :version AND r.tag = :tag
    AND e.phase NOT IN (4, 6, 7, 8)
    AND (r.owner_project, r.owner_domain, r.owner, r.node_id, r.item)
        IS NOT (:owner_project, :owner_domain, :owner, :node_id, :item);

-- name: reserve
INSERT OR REPLACE INTO cache_reservations
    (project, domain, name, version, tag, owner_project, owner_domain, owner, node_id, item)
VALUES
    (:project, :domain, :name, :version, :tag, :owner_project, :owner_domain, :owner, :node_id, :item);

-- name: release_reservations
-- Those of one item of a node, or without an item all of the node.
DELETE FROM cache_reservations
WHERE owner_project = :owner_project AND owner_domain = :owner_domain AND owner = :owner
    AND node_id = :node_id AND (:item IS NULL OR item = :item);

-- name: wait_for_reservation
INSERT OR REPLACE INTO cache_waits
    (owner_project, owner_domain, owner, node_id, item, project, domain, name, version, tag)
VALUES
    (:owner_project, :owner_domain, :owner, :node_id, :item, :project, :domain, :name, :version, :tag);

-- name: stop_waiting
DELETE FROM cache_waits
WHERE owner_project = :owner_project AND owner_domain = :owner_domain AND owner = :owner
    AND node_id = :node_id AND (:item IS NULL OR item = :item);

-- name: held_up
-- What of an execution waits for a reservation of somebody else.
SELECT w.node_id, w.item FROM cache_waits w
JOIN cache_reservations r USING (project, domain, name, version, tag)
JOIN executions e ON e.project = r.owner_project AND e.domain = r.owner_domain AND e.name = r.owner
WHERE w.owner_project = :owner_project AND w.owner_domain = :owner_domain AND w.owner = :owner
    AND e.phase NOT IN (4, 6, 7, 8);
