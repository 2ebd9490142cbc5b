-- The statements that each turn of a workflow runs, in the order of a turn (ADR 44): claim, finish,
-- ask, decide, advance, append. Everything else goes through the ORM.
--
-- `{tasks.*}` stands for all columns of that table's model, `{tasks.(id, step)}` for these, the others
-- are read when they are asked for; `{fragment}` for another text of this page. Rules: the project's lock first, then tasks before
-- requests; times come from the database's clock; a statement touches sets, never row by row.


-- ============================================================================ projects, audit

-- name: lock_project
-- The first lock of every change. The head of the stream comes along, locked as well: whoever holds
-- the project appends to its stream.
{project_and_head}
WHERE projects.id = %(row)s
FOR NO KEY UPDATE OF projects, stream

-- name: lock_project_of_task
{project_and_head}
WHERE projects.id = (SELECT project_id FROM tasks WHERE id = %(row)s)
FOR NO KEY UPDATE OF projects, stream

-- name: lock_project_of_request
{project_and_head}
WHERE projects.id = (SELECT project_id FROM hitl_requests WHERE id = %(row)s)
FOR NO KEY UPDATE OF projects, stream

-- name: lock_project_of_request_or_skip
{lock_project_of_request} SKIP LOCKED

-- name: lock_project_of_action
{project_and_head}
WHERE projects.id = (SELECT project_id FROM agent_actions WHERE id = %(row)s)
FOR NO KEY UPDATE OF projects, stream

-- name: lock_project_of_action_or_skip
{lock_project_of_action} SKIP LOCKED

-- name: lock_project_of_artifact
{project_and_head}
WHERE projects.id = (SELECT project_id FROM context_artifacts WHERE id = %(row)s)
FOR NO KEY UPDATE OF projects, stream

-- name: project_and_head
SELECT {projects.*}, {stream_head}
FROM projects JOIN event_streams AS stream ON stream.project = projects.id

-- name: stream_head
stream.epoch, stream.sequence, stream.head_hash, greatest(clock_timestamp(), stream.head_at)

-- name: lock_head
SELECT {stream_head} FROM event_streams AS stream WHERE project = %(project)s FOR NO KEY UPDATE

-- name: open_stream
INSERT INTO event_streams AS stream (project, epoch, sequence, head_hash, head_at)
VALUES (%(project)s, %(epoch)s, 0, '', clock_timestamp()) ON CONFLICT DO NOTHING
RETURNING {stream_head}

-- name: leave_strays
-- The stream goes on in a new epoch, past rows beyond its head that the product did not write.
UPDATE event_streams AS stream SET epoch = %(epoch)s WHERE project = %(project)s
RETURNING {stream_head}, (
    SELECT json_build_object('rows', count(*), 'first', min(stray.sequence))
    FROM event_log AS stray
    WHERE stray.project = %(project)s AND stray.sequence > stream.sequence)

-- name: event_chain
-- The rows of the log that are in a chain, as `Event.objects` has them.
SELECT * FROM event_log AS event WHERE EXISTS (
    SELECT 1 FROM event_streams AS stream
    WHERE stream.project = event.project AND stream.sequence >= event.sequence
) AND EXISTS (
    SELECT 1 FROM event_epochs AS part
    WHERE part.project = event.project AND part.epoch = event.epoch
      AND part.after < event.sequence AND (part.through IS NULL OR part.through >= event.sequence))

-- name: events_without_leaf
-- Of each stream, from where its leaves end.
SELECT event.project, event.sequence, event.hash
FROM event_streams AS stream
CROSS JOIN LATERAL (
    SELECT coalesce(max(sequence), 0) AS through FROM log_leaves WHERE project = stream.project
) AS leaves
CROSS JOIN LATERAL (
    SELECT * FROM ({event_chain}) AS chain
    WHERE chain.project = stream.project AND chain.sequence > leaves.through
    ORDER BY chain.sequence LIMIT %(limit)s
) AS event
WHERE stream.sequence > leaves.through
ORDER BY event.project, event.sequence LIMIT %(limit)s

-- name: add_leaves
INSERT INTO log_leaves (index, project, sequence, hash)
SELECT %(first)s + number - 1, project, sequence, hash
FROM unnest(%(projects)s::uuid[], %(sequences)s::bigint[], %(hashes)s::text[])
    WITH ORDINALITY AS new (project, sequence, hash, number)

-- name: add_tree_nodes
INSERT INTO log_tree (level, index, hash)
SELECT * FROM unnest(%(levels)s::smallint[], %(indexes)s::bigint[], %(hashes)s::text[])

-- name: leaf_without_its_event
-- The first leaf whose event is gone from its chain, or is another one.
{leaves_without_their_events} ORDER BY leaf.index LIMIT 1

-- name: leaf_of_project_without_its_event
{leaves_without_their_events} AND leaf.project = %(project)s ORDER BY leaf.sequence LIMIT 1

-- name: leaves_without_their_events
SELECT leaf.project, leaf.sequence, event.hash IS NOT NULL
FROM log_leaves AS leaf
LEFT JOIN ({event_chain}) AS event
  ON event.project = leaf.project AND event.sequence = leaf.sequence
WHERE event.hash IS DISTINCT FROM leaf.hash

-- name: member_role
SELECT role FROM project_members WHERE project_id = %(project)s AND user_id = %(user)s

-- name: append_events
-- Nothing is written where the head is no longer where the hashes began, nor where rows stand beyond
-- it that the product did not write.
WITH moved AS (
    UPDATE event_streams SET sequence = %(sequence)s, head_hash = %(hash)s, head_at = %(now)s
    WHERE project = %(project)s AND epoch = %(epoch)s AND sequence = %(before)s
      AND NOT EXISTS (
        SELECT 1 FROM event_log AS stray WHERE stray.project = %(project)s
          AND stray.sequence > %(before)s AND stray.epoch = %(epoch)s)
    RETURNING project, epoch
)
INSERT INTO event_log
    (project, epoch, sequence, event_type, event_source, actor, task, hitl_request, data, salt,
     metadata, created_at, payload_hash, previous_hash, hash)
SELECT moved.project, moved.epoch, sequence, event_type, event_source, actor, task, hitl_request,
    data, salt, metadata, %(now)s, payload_hash, previous_hash, hash
FROM moved, json_to_recordset(%(events)s::json) AS event (
    sequence bigint, event_type text, event_source text, actor text, task uuid, hitl_request uuid,
    data jsonb, salt text, metadata jsonb, payload_hash text, previous_hash text, hash text)


-- ============================================================================ agents: claim, finish

-- name: is_stopped
-- An emergency stop stands in the way of this row of `tasks`.
EXISTS (
    SELECT 1 FROM emergency_stops AS stop
    WHERE stop.released_at IS NULL
      AND (stop.project_id IS NULL OR stop.project_id = tasks.project_id)
      AND stop.agent_type IN ('', tasks.agent_type))

-- name: is_due
-- This row of `tasks` may be claimed, if its project runs.
tasks.status = 'pending' AND tasks.run_after <= clock_timestamp() AND NOT {is_stopped}

-- name: is_external
-- This row of `tasks` waits for a worker that runs elsewhere: the settings say so, or its project.
(tasks.agent_type = ANY (%(external_types)s::text[]) OR EXISTS (
    SELECT 1 FROM projects AS home
    WHERE home.id = tasks.project_id AND home.agent_models ->> tasks.agent_type = 'external'))

-- name: is_inside
-- This row of `tasks` is at work in a process of ours.
busy.status = 'working' AND busy.worker NOT LIKE 'external:%%'

-- name: has_room
-- A project's fair share, and the limit of a model (ADR 46), for this row of `tasks`. The project is
-- locked: no other task of it is claimed meanwhile.
(SELECT count(*) FROM tasks AS busy
 WHERE {is_inside} AND busy.project_id = tasks.project_id
) < CASE
    WHEN (SELECT count(*) FROM tasks AS busy WHERE {is_inside}) < %(common)s::int
    THEN %(most)s::int ELSE %(few)s::int
END AND (%(model_limit)s::int = 0 OR %(model_limit)s::int > (
    SELECT count(*) FROM tasks AS busy
    WHERE {is_inside} AND busy.agent_type = ANY(%(model_users)s::text[])))

-- name: claim_task
-- One winner, by compare-and-set; its attempt is noted in the same breath. `external_types`: what
-- the settings and the project leave to workers that run elsewhere; no other worker gets it.
WITH claimed AS (
    UPDATE tasks
    SET status = 'working', attempt = attempt + 1, fence = fence + 1, worker = %(worker)s,
        lease_expires_at = clock_timestamp() + make_interval(secs => %(lease_seconds)s),
        started_at = coalesce(started_at, clock_timestamp())
    WHERE id = %(task)s AND {is_due} AND {has_room}
      AND (agent_type = ANY (%(external_types)s::text[])) = %(is_external)s
    RETURNING *
), noted AS (
    INSERT INTO task_attempts
        (task_id, number, fence, worker, outcome,
         error_code, error_detail, provider, model, calls, lease_seconds)
    SELECT id, attempt, fence, worker, 'running', '', '', '', '', 0, %(lease_seconds)s FROM claimed
)
SELECT {tasks.*} FROM claimed AS tasks

-- name: hand_back
-- Claims of a worker in one project, those that are lost left out. Their attempts do not count.
WITH held AS (
    SELECT tasks.id, tasks.fence FROM tasks
    JOIN unnest(%(tasks)s::uuid[], %(fences)s::int[]) AS claim (id, fence) USING (id, fence)
    WHERE tasks.project_id = %(project)s AND tasks.status = 'working'
    ORDER BY tasks.id FOR NO KEY UPDATE OF tasks
), closed AS (
    UPDATE task_attempts SET finished_at = clock_timestamp(), outcome = 'handed_back'
    FROM held WHERE task_id = held.id AND task_attempts.fence = held.fence
)
UPDATE tasks
SET status = 'pending', waits_for = '', lease_expires_at = NULL,
    attempt = attempt - 1, fence = tasks.fence + 1,
    run_after = clock_timestamp(), rung_at = clock_timestamp()
FROM held WHERE tasks.id = held.id
RETURNING tasks.id, tasks.step, tasks.agent_type

-- name: may_call
-- Before each call of a model: no row where the claim is lost.
SELECT {is_stopped} FROM tasks WHERE id = %(task)s AND fence = %(fence)s AND status = 'working'

-- name: due_outside
-- Tasks of a project for a worker that runs elsewhere, which came for these types of agents.
SELECT tasks.id FROM tasks JOIN projects ON projects.id = tasks.project_id
WHERE tasks.project_id = %(project)s AND tasks.agent_type = ANY (%(agent_types)s::text[])
  AND {is_due} AND {is_external} AND projects.status IN ('draft', 'active')
ORDER BY tasks.run_after, tasks.id LIMIT 10

-- name: due_types
-- How many tasks of a project are due for workers that run elsewhere, by type of agent.
SELECT tasks.agent_type, count(*) FROM tasks JOIN projects ON projects.id = tasks.project_id
WHERE tasks.project_id = %(project)s
  AND {is_due} AND {is_external} AND projects.status IN ('draft', 'active')
GROUP BY tasks.agent_type

-- name: note_outside_worker
-- Somebody has come for work of these agents. Left out where the row is locked, or was just noted.
UPDATE agent_status SET worker_seen_at = clock_timestamp()
WHERE id IN (
    SELECT id FROM agent_status
    WHERE project_id = %(project)s AND agent_type = ANY (%(agent_types)s::text[])
      AND (worker_seen_at IS NULL OR worker_seen_at < clock_timestamp() - interval '5 seconds')
    FOR UPDATE SKIP LOCKED)

-- name: beat_outside
-- A heartbeat: the lease begins anew, unless it has run out or an emergency stop is on. No row where
-- it is lost.
WITH held AS (
    SELECT tasks.id, attempt.lease_seconds, {is_stopped} AS stopped
    FROM tasks JOIN task_attempts AS attempt
      ON attempt.task_id = tasks.id AND attempt.fence = tasks.fence
    WHERE tasks.id = %(task)s AND tasks.fence = %(fence)s AND tasks.status = 'working'
      AND tasks.lease_expires_at > clock_timestamp()
    FOR NO KEY UPDATE OF tasks
)
UPDATE tasks SET lease_expires_at = CASE WHEN held.stopped THEN tasks.lease_expires_at
    ELSE clock_timestamp() + make_interval(secs => held.lease_seconds) END
FROM held WHERE tasks.id = held.id
RETURNING tasks.lease_expires_at, held.stopped

-- name: acknowledge_outside
-- Stops under which nothing that this worker has claimed is at work any more.
UPDATE emergency_stop_acknowledgements AS acknowledgement SET acknowledged_at = clock_timestamp()
FROM emergency_stops AS stop
WHERE acknowledgement.worker = %(worker)s AND acknowledgement.acknowledged_at IS NULL
  AND stop.id = acknowledgement.stop_id AND NOT EXISTS (
    SELECT 1 FROM tasks
    WHERE tasks.worker = %(worker)s AND tasks.status = 'working'
      AND (stop.project_id IS NULL OR stop.project_id = tasks.project_id)
      AND stop.agent_type IN ('', tasks.agent_type))

-- name: content_of_version
SELECT {context_artifact_versions.*} FROM context_artifact_versions
WHERE artifact_id = %(artifact)s AND number = %(number)s

-- name: lock_claimed
-- The fence: only who has claimed it last may write.
SELECT 1 FROM tasks
WHERE id = %(task)s AND fence = %(fence)s AND status = 'working' FOR NO KEY UPDATE

-- name: close_attempt
UPDATE task_attempts SET finished_at = clock_timestamp(), outcome = %(outcome)s,
    error_code = %(error_code)s, error_detail = %(error_detail)s, provider = %(provider)s,
    model = %(model)s, calls = %(calls)s, input_tokens = %(input_tokens)s,
    output_tokens = %(output_tokens)s, cost_micros = %(cost_micros)s
WHERE task_id = %(task)s AND fence = %(fence)s

-- name: end_work
-- An attempt that brought a result, or questions, and its task.
WITH attempt AS ({close_attempt})
UPDATE tasks SET status = %(status)s::text, waits_for = %(waits_for)s, lease_expires_at = NULL,
    result = %(result)s::jsonb,
    finished_at = CASE WHEN %(status)s::text = 'completed' THEN clock_timestamp() END
WHERE id = %(task)s
RETURNING finished_at

-- name: settle_task
UPDATE tasks SET status = %(status)s, waits_for = '', lease_expires_at = NULL, fence = %(fence)s,
    result = %(result)s::jsonb, finished_at = clock_timestamp()
WHERE id = %(task)s
RETURNING finished_at

-- name: create_task
INSERT INTO tasks
    (id, project_id, agent_type, title, instructions, step, phase, round, is_current, dropped_by,
     gate, escalates_on_fail, handoff, answers, assignment_sha256, status, waits_for, attempt,
     failures, crashes, fence, run_after, rung_at, worker, result, created_by_id, created_at)
VALUES
    (%(id)s, %(project)s, %(agent_type)s, %(title)s, %(instructions)s, %(step)s, %(phase)s,
     %(round)s, true, '', %(gate)s, %(escalates_on_fail)s, %(handoff)s::jsonb, %(answers)s::jsonb,
     %(assignment_sha256)s, 'pending', '', 0, 0, 0, 0, now(), now(), '', '{}', %(created_by)s, clock_timestamp())
RETURNING created_at, run_after

-- name: refresh_agent
-- The status board: the most telling of a type's current tasks decides. An agent that the project
-- has had no row for, gets one. No row is returned where nothing has changed.
WITH before AS (
    SELECT status, task_id FROM agent_status
    WHERE project_id = %(project)s AND agent_type = %(agent_type)s
), task AS (
    SELECT id, CASE status WHEN 'failed' THEN 'error' ELSE status END AS status
    FROM tasks
    WHERE project_id = %(project)s AND agent_type = %(agent_type)s AND is_current
      AND status IN ('working', 'waiting_for_hitl', 'failed')
    ORDER BY CASE status WHEN 'working' THEN 0 WHEN 'waiting_for_hitl' THEN 1 ELSE 2 END,
             created_at
    LIMIT 1
), now AS (
    SELECT coalesce((SELECT status FROM task), 'idle') AS status, (SELECT id FROM task) AS task_id
)
INSERT INTO agent_status AS board (project_id, agent_type, status, task_id, updated_at)
SELECT %(project)s, %(agent_type)s, now.status, now.task_id, clock_timestamp()
FROM now LEFT JOIN before ON true
WHERE (before.status, before.task_id) IS DISTINCT FROM (now.status, now.task_id)
ON CONFLICT (project_id, agent_type) DO UPDATE
SET status = EXCLUDED.status, task_id = EXCLUDED.task_id, updated_at = EXCLUDED.updated_at
RETURNING board.status, board.task_id, (SELECT status FROM before)


-- ============================================================================ context: artifacts

-- name: next_artifact_version
-- The artifact of a step, with one more version than before.
INSERT INTO context_artifacts
    (id, project_id, artifact_type, granularity, title, source_agent, step, task, version,
     accepted_version, created_at, updated_at)
VALUES
    (%(id)s, %(project)s, %(artifact_type)s, 'document', %(title)s, %(source_agent)s, %(step)s,
     %(task)s, 1, CASE WHEN %(is_accepted)s THEN 1 END, clock_timestamp(), clock_timestamp())
ON CONFLICT (project_id, step, artifact_type) WHERE NOT (step = '') DO UPDATE
SET title = EXCLUDED.title, source_agent = EXCLUDED.source_agent, task = EXCLUDED.task,
    version = context_artifacts.version + 1, updated_at = clock_timestamp(),
    accepted_version = CASE WHEN %(is_accepted)s THEN context_artifacts.version + 1
                            ELSE context_artifacts.accepted_version END
RETURNING {context_artifacts.*}

-- name: store_version
-- A version with its parts and origin.
WITH version AS (
    INSERT INTO context_artifact_versions
        (artifact_id, number, content, sha256, status, source_agent, author_id, task, attempt,
         fence, provider, model, prompt_sha256, decision, comment, imported, created_at)
    VALUES
        (%(artifact)s, %(number)s, %(content)s::jsonb, %(sha256)s, %(status)s, %(source_agent)s,
         %(author)s, %(task)s, %(attempt)s, %(fence)s, %(provider)s, %(model)s,
         %(prompt_sha256)s, %(decision)s, %(comment)s, %(imported)s::jsonb, clock_timestamp())
    RETURNING id
), {parts_of_version}

-- name: store_parts
-- The same for a version of an earlier release, which has no parts yet.
WITH version AS (SELECT %(version)s::bigint AS id), {parts_of_version}

-- name: parts_of_version
-- The project's lock is held, so no one else adds a text in between; the counts prove that every
-- part has found its text. Conditions that always hold tell PostgreSQL that there are few of them,
-- else it would plan it anew each time; with many, each is still looked up by an index or in `ids`.
texts AS (
    SELECT * FROM unnest(%(text_sha256)s::text[], %(texts)s::text[], %(tokens)s::int[])
        AS new (sha256, text, tokens)
    WHERE length(sha256) = 64
), added AS (
    INSERT INTO context_bodies (project_id, sha256, text, tokens)
    SELECT %(project)s, sha256, text, tokens FROM texts
    ON CONFLICT (project_id, sha256) DO NOTHING
    RETURNING id, sha256
), ids AS (
    SELECT jsonb_object_agg(sha256, id) AS of_texts FROM (
        SELECT id, sha256 FROM added
        UNION ALL
        SELECT earlier.id, texts.sha256 FROM texts, LATERAL (
            SELECT id FROM context_bodies
            WHERE project_id = %(project)s AND sha256 = texts.sha256 OFFSET 0
        ) AS earlier
    ) AS bodies
), sections AS (
    INSERT INTO context_sections
        (project_id, version_id, position, pointer, path, title, kind, body_id)
    SELECT %(project)s, version.id, number - 1, pointer, path, title, kind,
        (ids.of_texts ->> sha256)::bigint
    FROM version, ids, unnest(%(section_pointers)s::text[], %(section_paths)s::text[],
        %(section_titles)s::text[], %(section_kinds)s::text[], %(section_sha256)s::text[])
        WITH ORDINALITY AS new (pointer, path, title, kind, sha256, number)
    WHERE ids.of_texts ? sha256
    RETURNING 1
), concepts AS (
    INSERT INTO context_concepts
        (project_id, version_id, position, kind, identifier, title, body_id)
    SELECT %(project)s, version.id, number - 1, kind, identifier, title,
        (ids.of_texts ->> sha256)::bigint
    FROM version, ids, unnest(%(concept_kinds)s::text[], %(concept_identifiers)s::text[],
        %(concept_titles)s::text[], %(concept_sha256)s::text[])
        WITH ORDINALITY AS new (kind, identifier, title, sha256, number)
    WHERE ids.of_texts ? sha256
    RETURNING 1
), derivations AS (
    INSERT INTO context_derivations (derived_id, source_id, kind)
    SELECT version.id, source.id, new.kind
    FROM version, unnest(%(source_artifacts)s::uuid[], %(source_numbers)s::int[],
        %(source_kinds)s::text[]) AS new (artifact_id, number, kind), LATERAL (
            SELECT source.id FROM context_artifact_versions AS source
            JOIN context_artifacts AS artifact ON artifact.id = source.artifact_id
            WHERE source.artifact_id = new.artifact_id AND source.number = new.number
              AND artifact.project_id = %(project)s OFFSET 0
        ) AS source
    WHERE sign(new.number) = 1
    ON CONFLICT (derived_id, source_id) DO NOTHING
)
SELECT version.id, (SELECT count(*) FROM sections), (SELECT count(*) FROM concepts) FROM version

-- name: accept_versions
-- What the work goes on with. An accepted version that it replaces was superseded before.
WITH chosen AS (
    SELECT * FROM unnest(%(artifacts)s::uuid[], %(numbers)s::int[]) AS new (artifact_id, number)
    WHERE sign(number) = 1
), accepted AS (
    UPDATE context_artifact_versions AS version SET status = 'accepted'
    FROM chosen WHERE version.artifact_id = chosen.artifact_id AND version.number = chosen.number
)
UPDATE context_artifacts AS artifact
SET accepted_version = chosen.number, updated_at = clock_timestamp()
FROM chosen WHERE artifact.id = chosen.artifact_id

-- name: newest_outputs
-- Of this row of `tasks`: its artifacts as they are now, by id.
(SELECT json_object_agg(artifact.id, json_build_object(
        'version', artifact.version, 'sha256', artifact.sha256, 'title', artifact.title))
 FROM jsonb_array_elements(tasks.result -> 'outputs') AS output, {artifact_of_output})

-- name: artifact_of_output
-- A LATERAL subquery with OFFSET is never made part of the query around it: PostgreSQL looks each row
-- up by its index. It expects a hundred outputs, and would read whole tables for so many.
LATERAL (
    SELECT made.id, made.version, made.title, newest.sha256
    FROM context_artifacts AS made
    JOIN context_artifact_versions AS newest
      ON newest.artifact_id = made.id AND newest.number = made.version
    WHERE made.id = (output ->> 'artifact')::uuid OFFSET 0
) AS artifact

-- name: newest_outputs_of_task
SELECT {newest_outputs} FROM tasks WHERE id = %(task)s


-- ============================================================================ hitl: ask, decide

-- name: facts_for_request
-- What opening a request about a task needs to know: the last one about the same step (or task),
-- the project's policy and the installation's floor, what the task has made, and who wrote of it.
SELECT {hitl_requests.*}, {hitl_policies.*}, {installation_floor.*}, {newest_outputs},
    (SELECT array_agg(author ORDER BY author) FROM ({authors_of_subject}) AS authors (author))
FROM tasks
LEFT JOIN hitl_policies ON hitl_policies.project_id = tasks.project_id
LEFT JOIN installation_floor ON installation_floor.id = 1
LEFT JOIN LATERAL (
    SELECT * FROM hitl_requests AS earlier
    WHERE earlier.project_id = tasks.project_id
      AND (earlier.step = tasks.step AND tasks.step <> '' OR earlier.task_id = tasks.id)
    ORDER BY earlier.created_at DESC, earlier.id DESC LIMIT 1
) AS hitl_requests ON true
WHERE tasks.id = %(task)s

-- name: authors_of_subject
-- People who wrote a version of what this row of `tasks` has made, or the same content elsewhere in
-- the project, or input that its step was given after the start.
SELECT version.author_id
FROM jsonb_array_elements(tasks.result -> 'outputs') AS output, LATERAL (
    SELECT author_id FROM context_artifact_versions
    WHERE artifact_id = (output ->> 'artifact')::uuid AND author_id IS NOT NULL OFFSET 0
) AS version
UNION
SELECT version.author_id
FROM context_artifacts AS other, LATERAL (
    SELECT author_id, sha256 FROM context_artifact_versions
    WHERE artifact_id = other.id AND author_id IS NOT NULL OFFSET 0
) AS version
WHERE other.project_id = tasks.project_id AND version.sha256 IN (
    SELECT artifact.sha256
    FROM jsonb_array_elements(tasks.result -> 'outputs') AS output, {artifact_of_output})
UNION
SELECT version.author_id
FROM projects, (
    SELECT material FROM jsonb_array_elements(tasks.handoff -> 'materials') AS material
    WHERE material ->> 'artifact_type' = 'user_input'
    UNION ALL SELECT tasks.handoff -> 'brief'
) AS given (input), LATERAL (
    SELECT author_id, sha256, created_at FROM context_artifact_versions
    WHERE artifact_id = (input ->> 'artifact')::uuid AND number = (input ->> 'version')::int OFFSET 0
) AS version
WHERE tasks.step <> '' AND version.author_id IS NOT NULL AND projects.id = tasks.project_id
  AND version.sha256 <> %(brief_sha256)s AND version.created_at >= projects.started_at
UNION
SELECT decision.decided_by_id
FROM hitl_requests AS request, LATERAL (
    SELECT decided_by_id FROM hitl_decisions
    WHERE request_id = request.id AND action = 'answer' OFFSET 0
) AS decision
WHERE coalesce(hitl_policies.answers_count_as_content, %(answers_count)s)
  AND request.project_id = tasks.project_id
  AND (request.step = tasks.step AND tasks.step <> '' OR request.task_id = tasks.id)

-- name: open_request
INSERT INTO hitl_requests
    (id, project_id, task_id, kind, status, title, step, phase, agent_type, subject,
     subject_digest, previous_id, created_at, required_approvals, deciding_roles, barred_authors,
     prevents_self_approval, needs_reauthentication, on_timeout, remind_at, due_at, expires_at, approvals)
VALUES
    (%(id)s, %(project)s, %(task)s, %(kind)s, 'pending', %(title)s, %(step)s, %(phase)s,
     %(agent_type)s, %(subject)s::jsonb, %(subject_digest)s, %(previous)s, clock_timestamp(),
     %(required_approvals)s, %(deciding_roles)s::text[], %(barred_authors)s::bigint[],
     %(prevents_self_approval)s, %(needs_reauthentication)s,
     %(on_timeout)s, %(remind_at)s, %(due_at)s, %(expires_at)s, %(approvals)s)
RETURNING created_at

-- name: lock_request
-- The project is locked, so nothing that is read here can change before the commit.
SELECT {tasks.*}, {hitl_requests.*}, {newest_outputs}, {shown_versions}
FROM hitl_requests JOIN tasks ON tasks.id = hitl_requests.task_id
WHERE hitl_requests.id = %(request)s AND hitl_requests.project_id = %(project)s
FOR NO KEY UPDATE OF tasks, hitl_requests

-- name: shown_versions
-- Of this row of `hitl_requests`: the versions that it shows, with what their digests are over. The
-- names are those of the model's fields, in its order.
(SELECT json_agg(json_build_object(
        'id', version.id, 'artifact_id', version.artifact_id, 'number', version.number,
        'inline_content', version.content, 'sha256', version.sha256))
 FROM jsonb_array_elements(hitl_requests.subject -> 'outputs') AS output, LATERAL (
    SELECT id, artifact_id, number, sha256, content FROM context_artifact_versions
    WHERE artifact_id = (output ->> 'artifact')::uuid AND number = (output ->> 'version')::int
    OFFSET 0
) AS version)

-- name: settle_request
-- The decision that ends a request. By compare-and-set, a second guard beside the locks: an outcome
-- never changes. No row where it has one.
WITH settled AS (
    UPDATE hitl_requests
    SET status = %(status)s, resolved_at = clock_timestamp(), approvals = %(approvals)s
    WHERE id = %(request)s AND status = 'pending'
    RETURNING id, resolved_at
)
INSERT INTO hitl_decisions
    (id, request_id, action, decided_by_id, on_behalf_of_id, comment, content, subject_digest, channel,
     is_break_glass, assurance, loosenings, created_at)
SELECT %(decision)s, settled.id, %(action)s, %(decided_by)s, %(on_behalf_of)s, %(comment)s, %(content)s::jsonb,
    %(subject_digest)s, %(channel)s, %(is_break_glass)s, %(assurance)s, %(loosenings)s::jsonb,
    settled.resolved_at
FROM settled
RETURNING created_at


-- ============================================================================ engine: advance

-- name: load_run
-- A project's run, its current tasks with their pending requests, and the agents that are stopped.
-- One row a task; one row in all where there is none.
SELECT
    {workflow_runs.(id, project_id, workflow, definition_hash, loops, feedback, is_rewound,
        brief_artifact, brief_version)},
    {tasks.(id, project_id, agent_type, title, step, phase, round, status, waits_for, attempt,
        failures, fence, run_after, handoff, answers, result, finished_at)},
    {hitl_requests.(id, project_id, task_id, kind, status, step, subject_digest)},
    (SELECT array_agg(agent_type) FROM emergency_stops AS stop
     WHERE stop.released_at IS NULL
       AND (stop.project_id IS NULL OR stop.project_id = projects.id)),
    (SELECT oversight_level FROM installation_floor WHERE id = 1),
    (SELECT sha256 FROM context_artifact_versions AS brief
     WHERE brief.artifact_id = workflow_runs.brief_artifact
       AND brief.number = workflow_runs.brief_version)
FROM projects
LEFT JOIN workflow_runs ON workflow_runs.project_id = projects.id
LEFT JOIN tasks ON tasks.project_id = projects.id AND tasks.is_current
LEFT JOIN hitl_requests ON hitl_requests.task_id = tasks.id AND hitl_requests.status = 'pending'
WHERE projects.id = %(project)s

-- name: has_open_tasks
-- Asked as a project ends, so that what is hardly ever there is not loaded.
SELECT 1 FROM tasks
WHERE project_id = %(project)s AND status NOT IN ('completed', 'failed', 'cancelled') LIMIT 1

-- name: has_open_actions
SELECT 1 FROM agent_actions
WHERE project_id = %(project)s AND status IN ('pending', 'approved') LIMIT 1

-- name: logs_to_verify
SELECT stream.project FROM event_streams AS stream
LEFT JOIN log_verifications AS done ON done.subject = stream.project::text
WHERE done.subject IS NULL OR done.verified_at < clock_timestamp() - %(all)s
   OR (done.sequence <> stream.sequence AND done.verified_at < clock_timestamp() - %(new)s)
ORDER BY done.verified_at NULLS FIRST LIMIT 1000

-- name: state_of_verification
-- Unverified: since when the log is there that nobody verified for the longest time. Unsigned:
-- since when there is an event that no checkpoint covers; NULL where none was ever made.
SELECT (SELECT count(*) FROM log_verifications WHERE problem <> ''),
       (SELECT count(*) FROM log_verifications),
       (SELECT extract(epoch FROM clock_timestamp() - min(coalesce(done.verified_at, (
                   SELECT created_at FROM event_log
                   WHERE project = stream.project ORDER BY sequence LIMIT 1))))
        FROM event_streams AS stream
        LEFT JOIN log_verifications AS done ON done.subject = stream.project::text),
       (SELECT extract(epoch FROM clock_timestamp() - last.created_at)
        FROM (SELECT * FROM log_checkpoints ORDER BY id DESC LIMIT 1) AS last
        WHERE EXISTS (SELECT FROM event_streams WHERE head_at > last.created_at))
