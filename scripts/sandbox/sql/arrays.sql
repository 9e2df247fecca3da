-- The items of array nodes.

-- name: insert_item
INSERT INTO array_items (project, domain, execution, node_id, node_attempt, item)
VALUES (:project, :domain, :execution, :node_id, :node_attempt, :item);

-- name: array_items
SELECT item, phase, attempt, system_failures, attempt_at, outcome, error FROM array_items
WHERE project = :project AND domain = :domain AND execution = :execution AND node_id = :node_id
    AND node_attempt = :node_attempt
ORDER BY item;

-- name: get_item
SELECT item, phase, attempt, system_failures, attempt_at, outcome, error FROM array_items
WHERE project = :project AND domain = :domain AND execution = :execution AND node_id = :node_id
    AND node_attempt = :node_attempt AND item = :item;

-- name: update_item
UPDATE array_items SET phase = :phase, attempt = :attempt, system_failures = :system_failures,
    attempt_at = :attempt_at, outcome = :outcome, error = :error
WHERE project = :project AND domain = :domain AND execution = :execution AND node_id = :node_id
    AND node_attempt = :node_attempt AND item = :item;

-- name: open_items
-- Items whose attempt had not ended.
SELECT project, domain, execution, node_id, node_attempt, item, attempt FROM array_items
WHERE phase = 'running' AND outcome = '';
