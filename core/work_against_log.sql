-- ======================================================== what work follows, against the log
-- As in `rows_against_log.sql`.

-- name: rows_of_tasks
-- What its agent was given, by the hash that is in the row, too; `check_invariants` has the rest.
WITH known AS ({known_events}), given AS (
    SELECT DISTINCT ON (task) project, task, data ->> 'assignment_sha256' AS sha256 FROM known
    WHERE NOT is_erased AND (event_type = 'task_created' OR event_type = 'task_retried'
        AND data ->> 'cause' IN ('answered', 'changes_requested'))
    ORDER BY task, sequence DESC
), stored AS (
    SELECT * FROM tasks WHERE {of_project}
)
SELECT coalesce(stored.project_id, given.project) AS project,
       'task ' || coalesce(stored.id, given.task) AS place, CASE
    WHEN stored.id IS NULL THEN 'it was created, and is gone'
    WHEN given.task IS NULL THEN CASE WHEN NOT EXISTS (
        SELECT FROM known WHERE project = stored.project_id AND is_erased
        AND event_type = 'task_created') THEN 'no event created it' END
    WHEN given.project <> stored.project_id THEN 'it was of another project'
    WHEN given.sha256 <> stored.assignment_sha256 THEN 'its agent was given something else'
END AS problem
FROM given FULL JOIN stored ON stored.id = given.task

-- name: rows_of_workflow_runs
-- Each task says which definition it came of.
WITH known AS ({known_events}), followed AS (
    SELECT project, min(data ->> 'workflow_sha256') AS least, max(data ->> 'workflow_sha256') AS most
    FROM known WHERE event_type = 'task_created' AND data ->> 'workflow_sha256' <> ''
    GROUP BY project
)
SELECT coalesce(run.project_id, followed.project) AS project, 'workflow' AS place, CASE
    WHEN run.id IS NULL THEN 'it was followed, and is gone'
    WHEN run.definition_hash NOT IN (least, most) OR least <> most
        THEN 'its tasks came of another definition'
END AS problem
FROM followed
FULL JOIN (SELECT * FROM workflow_runs WHERE {of_project}) AS run
  ON run.project_id = followed.project

-- name: rows_of_workflows
WITH known AS ({known_events}), logged AS (
    SELECT DISTINCT ON (data ->> 'workflow') data ->> 'workflow' AS name, data
    FROM known WHERE event_type = 'workflow_saved'
    ORDER BY data ->> 'workflow', sequence DESC
), stored AS (
    SELECT * FROM workflows WHERE {of_installation}
)
SELECT {installation} AS project, 'workflow ' || coalesce(stored.name, logged.name) AS place, CASE
    WHEN stored.name IS NULL THEN 'it was saved, and is gone'
    WHEN logged.name IS NULL THEN 'no event saved it'
    WHEN logged.data ->> 'sha256' <> stored.sha256
        OR (logged.data ->> 'version')::int <> stored.version THEN 'it is another one'
END AS problem
FROM logged FULL JOIN stored ON stored.name = logged.name

-- name: rows_of_imports
WITH known AS ({known_events}), made AS (
    SELECT project, is_erased, data -> 'imported' AS data FROM known
    WHERE event_type = 'project_updated' AND (data ? 'imported' OR is_erased)
), stored AS (
    SELECT * FROM project_imports WHERE {of_project}
)
SELECT stored.project_id AS project, 'import' AS place, CASE
    WHEN made.project IS NULL THEN CASE WHEN NOT EXISTS (
        SELECT FROM known WHERE project = stored.project_id AND is_erased
        AND event_type = 'project_updated') THEN 'no event made it' END
    WHEN made.data ->> 'archive_sha256' <> stored.archive_sha256
        OR made.data ->> 'origin_project' <> stored.origin_project
        OR made.data ->> 'trail_head_hash' <> stored.trail_head_hash THEN 'it was another one'
    WHEN (made.data ->> 'is_verified')::boolean <> stored.is_verified
        OR (made.data ->> 'trail_is_one_chain')::boolean <> (stored.trail_broken_at IS NULL)
        THEN 'whether it was verified differs'
END AS problem
FROM stored LEFT JOIN made ON made.project = stored.project_id AND NOT made.is_erased

-- name: rows_of_agent_types
-- Those that ship are there without an event, and change nothing.
WITH known AS ({known_events}), logged AS (
    SELECT DISTINCT ON (data ->> 'agent_type') data ->> 'agent_type' AS name,
           event_type = 'agent_type_changed' AS is_there, data -> 'row' AS fields
    FROM known WHERE event_type IN ('agent_type_changed', 'agent_type_deleted')
    ORDER BY data ->> 'agent_type', sequence DESC
), stored AS (
    SELECT name, to_jsonb(agent_types) || jsonb_build_object('instructions_sha256',
               encode(sha256(convert_to(instructions, 'UTF8')), 'hex')) AS fields
    FROM agent_types WHERE {of_installation}
    AND (NOT is_shipped OR instructions <> '' OR model <> '' OR tools IS NOT NULL
         OR ask_before <> '{}' OR num_nonnulls(max_turns, max_tokens, max_seconds) > 0
         OR EXISTS (SELECT FROM logged WHERE logged.name = agent_types.name AND is_there))
)
SELECT {installation} AS project, 'agent type ' || coalesce(stored.name, logged.name) AS place, CASE
    WHEN stored.name IS NULL THEN CASE WHEN is_there THEN 'it was set, and is gone' END
    WHEN is_there IS NOT TRUE THEN 'no event set it'
    ELSE (
        SELECT 'other than was set: '
               || string_agg(replace(key, '_sha256', ''), ', ' ORDER BY key)
        FROM jsonb_each(logged.fields) WHERE value IS DISTINCT FROM stored.fields -> key)
END AS problem
FROM logged FULL JOIN stored ON stored.name = logged.name

-- name: rows_of_emergency_stops
-- Logs learn of a stop, and of its end, soon after; until then a notice says so. Of a stop of all
-- projects those know that were at work.
WITH known AS ({known_events}), told AS (
    SELECT *, data ->> 'stop' AS stop FROM known WHERE NOT is_erased AND data ? 'stop'
    AND event_type IN ('emergency_stop_activated', 'emergency_stop_released')
), logged AS (
    SELECT DISTINCT ON (project, stop) project, stop, data ->> 'agent_type' AS agent_type,
           EXISTS (SELECT FROM told AS ended WHERE ended.project = told.project
                   AND ended.stop = told.stop AND ended.event_type = 'emergency_stop_released'
                   AND NOT ended.data ? 'still_held') AS is_over
    FROM told ORDER BY project, stop, sequence
)
SELECT logged.project, 'emergency stop ' || logged.stop AS place, CASE
    WHEN stored.id IS NULL THEN CASE WHEN NOT is_over THEN 'it was set, and is gone' END
    WHEN stored.project_id IS NOT NULL AND stored.project_id <> logged.project
        OR stored.agent_type <> logged.agent_type THEN 'it was of something else'
    WHEN is_over AND stored.released_at IS NULL THEN 'it was released, and stands'
    WHEN NOT is_over AND stored.released_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM emergency_stop_notices AS notice WHERE notice.stop_id = stored.id
        AND notice.project_id = logged.project
        AND notice.is_release_due AND notice.release_told_at IS NULL)
        THEN 'nobody released it'
END AS problem
FROM logged LEFT JOIN emergency_stops AS stored ON stored.id::text = logged.stop
