-- ============================================================================ rows against the log
-- Each `rows_of_...` holds what a table says against the events that said it: one row for each of
-- both, its `problem` NULL where they agree. `project`: that one, or all where it is NULL.

-- name: known_events
-- With the payloads that an archive has, where its file is there.
SELECT project, sequence, event_type, event_source, actor, task, hitl_request,
       coalesce(archived.data, event_log.data) AS data,
       salt = '' AND archived.data IS NULL AS is_erased
FROM event_log
LEFT JOIN jsonb_to_recordset(%(archived)s::jsonb) AS archived (sequence bigint, data jsonb)
  USING (sequence)
WHERE (%(project)s::uuid IS NULL OR project = %(project)s::uuid)

-- name: summary_of_rows
SELECT count(*), count(problem),
       (array_agg(json_build_array(project, place, problem) ORDER BY project, place)
        FILTER (WHERE problem IS NOT NULL))[1:20]

-- name: rows_of_projects
WITH known AS ({known_events}), verbs AS (
    SELECT project, (array_agg(event_type ORDER BY sequence DESC))[1] AS last,
           (array_agg(event_type ORDER BY sequence DESC)
            FILTER (WHERE event_type <> 'project_rewound'))[1] AS last_other
    FROM known
    WHERE event_type IN ('project_started', 'project_paused', 'project_resumed', 'project_rewound',
                         'project_completed', 'project_failed', 'project_cancelled')
    GROUP BY project
), created AS (
    SELECT * FROM known WHERE event_type = 'project_created'
), updates AS (
    SELECT DISTINCT ON (known.project, field.key) known.project, field.key,
           field.value ->> 'new' AS new
    FROM known, LATERAL jsonb_each(known.data -> 'fields') AS field
    WHERE event_type = 'project_updated'
    ORDER BY known.project, field.key, known.sequence DESC
), rules AS (
    SELECT DISTINCT ON (known.project, field.key) known.project, field.key, field.value
    FROM known, LATERAL (
        SELECT * FROM jsonb_each(known.data)
        UNION ALL SELECT key, value -> 'new' FROM jsonb_each(known.data -> 'fields')
    ) AS field
    WHERE event_type IN ('project_created', 'project_updated')
      AND key IN ('auto_start', 'agent_models', 'brief_sha256', 'budget_micros',
                  'budget_soft_micros', 'budget_day_micros', 'agent_budgets_micros')
    ORDER BY known.project, field.key, known.sequence DESC
), logged AS (
    SELECT created.project, created.actor, created.is_erased,
           coalesce(name.new, created.data ->> 'name') AS name,
           coalesce(workflow.new, created.data ->> 'workflow') AS workflow,
           coalesce(oversight.new, created.data ->> 'oversight_level') AS oversight_level,
           CASE
               WHEN verbs.last IS NULL THEN 'draft'
               WHEN verbs.last = 'project_rewound' AND verbs.last_other = 'project_paused'
                   THEN 'paused'
               WHEN verbs.last IN ('project_started', 'project_resumed', 'project_rewound')
                   THEN 'active'
               ELSE substr(verbs.last, 9)
           END AS status,
           EXISTS (SELECT FROM known WHERE known.project = created.project
                   AND event_type = 'hitl_policy_loosened') AS is_loosened,
           EXISTS (SELECT FROM known WHERE known.project = created.project
                   AND event_type = 'project_erased') AS is_blank
    FROM created
    LEFT JOIN verbs USING (project)
    LEFT JOIN updates AS name ON name.project = created.project AND name.key = 'name'
    LEFT JOIN updates AS workflow
      ON workflow.project = created.project AND workflow.key = 'workflow'
    LEFT JOIN updates AS oversight
      ON oversight.project = created.project AND oversight.key = 'oversight_level'
), stored AS (
    SELECT *, encode(sha256(convert_to(brief, 'UTF8')), 'hex') AS brief_sha256
    FROM projects WHERE %(project)s::uuid IS NULL OR id = %(project)s::uuid
    -- With the log of the installation: those that have none of their own.
    OR (%(project)s::uuid = '00000000-0000-0000-0000-000000000000'
        AND NOT EXISTS (SELECT FROM event_streams WHERE project = projects.id))
), differing AS (
    SELECT stored.id, string_agg(replace(key, '_sha256', ''), ', ' ORDER BY key) AS keys
    FROM rules JOIN stored ON stored.id = rules.project
    WHERE value IS DISTINCT FROM to_jsonb(stored) -> key GROUP BY stored.id
)
SELECT coalesce(stored.id, logged.project) AS project, 'project' AS place, CASE
    WHEN stored.id IS NULL THEN 'it was created, and is gone'
    WHEN logged.project IS NULL THEN 'no event created it'
    WHEN logged.actor <> 'user:' || stored.created_by_id THEN 'another user created it'
    WHEN logged.status <> stored.status THEN 'it is ' || stored.status || ', not ' || logged.status
    WHEN logged.is_loosened <> (stored.policy_loosened_at IS NOT NULL)
        THEN 'its mark of loosened rules differs'
    WHEN logged.is_blank <> (stored.erased_at IS NOT NULL) THEN 'whether it was erased differs'
    WHEN logged.is_blank AND stored.brief <> '[erased]' THEN 'it was not erased'
    WHEN logged.is_erased OR logged.is_blank THEN NULL
    WHEN logged.name <> stored.name THEN 'it had another name'
    WHEN logged.workflow <> stored.workflow THEN 'it had another workflow'
    WHEN logged.oversight_level <> stored.oversight_level
        THEN 'its oversight is ' || stored.oversight_level || ', not ' || logged.oversight_level
    ELSE 'other than was set: ' || differing.keys
END AS problem
FROM logged
FULL JOIN stored ON stored.id = logged.project
LEFT JOIN differing ON differing.id = stored.id

-- name: rows_of_members
-- A deleted account has taken its row along.
WITH known AS ({known_events}), steps AS (
    SELECT project, sequence, is_erased,
           CASE event_type WHEN 'project_created' THEN substr(actor, 6) ELSE data ->> 'user' END
               AS user_id,
           CASE event_type WHEN 'project_created' THEN 'owner' WHEN 'member_added'
               THEN data ->> 'role' END AS role,
           data ->> 'group' AS group_id
    FROM known WHERE event_type IN ('project_created', 'member_added', 'member_removed')
), logged AS (
    SELECT DISTINCT ON (project, user_id) * FROM steps WHERE user_id IS NOT NULL
    ORDER BY project, user_id, sequence DESC
), stored AS (
    SELECT * FROM project_members WHERE %(project)s::uuid IS NULL OR project_id = %(project)s::uuid
)
SELECT coalesce(stored.project_id, logged.project) AS project,
       'member ' || coalesce(stored.user_id::text, logged.user_id) AS place,
       CASE
           WHEN EXISTS (SELECT FROM steps WHERE is_erased AND user_id IS NULL
                        AND project = coalesce(stored.project_id, logged.project)) THEN NULL
           WHEN stored.user_id IS NULL AND logged.role IS NOT NULL AND EXISTS (
               SELECT FROM auth_user WHERE id::text = logged.user_id)
               THEN 'was ' || logged.role || ', and is gone'
           WHEN stored.user_id IS NOT NULL AND logged.role IS NULL THEN 'no event added this member'
           WHEN stored.role <> logged.role THEN 'is ' || stored.role || ', not ' || logged.role
           WHEN stored.group_id::text IS DISTINCT FROM logged.group_id AND NOT logged.is_erased
               THEN 'is one by another group, or by none'
       END AS problem
FROM logged FULL JOIN stored ON stored.project_id = logged.project AND stored.user_id::text = logged.user_id

-- name: rows_of_groups
WITH known AS ({known_events}), steps AS (
    SELECT project, sequence, data ->> 'group' AS group_id,
           CASE event_type WHEN 'group_added' THEN data ->> 'role' END AS role
    FROM known WHERE event_type IN ('group_added', 'group_removed') AND NOT is_erased
), logged AS (
    SELECT DISTINCT ON (project, group_id) * FROM steps ORDER BY project, group_id, sequence DESC
), stored AS (
    SELECT * FROM project_groups WHERE %(project)s::uuid IS NULL OR project_id = %(project)s::uuid
)
SELECT coalesce(stored.project_id, logged.project) AS project,
       'group ' || coalesce(stored.group_id::text, logged.group_id) AS place, CASE
    WHEN stored.group_id IS NULL AND logged.role IS NOT NULL THEN 'was ' || logged.role || ', and is gone'
    WHEN stored.group_id IS NOT NULL AND logged.role IS NULL THEN CASE WHEN NOT EXISTS (
        SELECT FROM known WHERE known.project = stored.project_id AND is_erased)
        THEN 'no event added this group' END
    WHEN stored.role <> logged.role THEN 'is ' || stored.role || ', not ' || logged.role
END AS problem
FROM logged FULL JOIN stored ON stored.project_id = logged.project AND stored.group_id::text = logged.group_id

-- name: rows_of_policies
WITH known AS ({known_events}), changes AS (
    SELECT * FROM known WHERE event_type = 'hitl_policy_changed'
), fields AS (
    SELECT DISTINCT ON (changes.project, field.key) changes.project, field.key, field.value
    FROM changes, LATERAL (
        SELECT key, value -> 'new' AS value FROM jsonb_each(changes.data -> 'fields')
        UNION ALL SELECT * FROM jsonb_each(changes.data -> 'policy')
    ) AS field
    ORDER BY changes.project, field.key, changes.sequence DESC
), logged AS (
    SELECT changes.project, bool_or(is_erased) AS is_erased FROM changes GROUP BY project
), stored AS (
    SELECT * FROM hitl_policies WHERE %(project)s::uuid IS NULL OR project_id = %(project)s::uuid
)
SELECT coalesce(stored.project_id, logged.project) AS project, 'policy' AS place, CASE
    WHEN stored.project_id IS NULL THEN 'it was set, and is gone'
    WHEN logged.project IS NULL THEN 'no event set it'
    WHEN logged.is_erased THEN NULL
    ELSE (
        SELECT 'other than was set: ' || string_agg(fields.key, ', ' ORDER BY fields.key)
        FROM fields WHERE fields.project = stored.project_id
        AND to_jsonb(stored) -> fields.key IS DISTINCT FROM fields.value)
END AS problem
FROM logged FULL JOIN stored ON stored.project_id = logged.project

-- name: rows_of_loosenings
WITH known AS ({known_events}), steps AS (
    SELECT *, data ->> 'loosening' AS id FROM known
    WHERE event_type IN ('hitl_policy_loosening_proposed', 'hitl_policy_loosened',
                         'hitl_policy_loosening_confirmed', 'hitl_policy_loosening_declined')
    AND NOT is_erased
), logged AS (
    SELECT DISTINCT ON (id) * FROM steps ORDER BY id, sequence DESC
), stored AS (
    SELECT * FROM hitl_loosenings WHERE %(project)s::uuid IS NULL OR project_id = %(project)s::uuid
)
SELECT coalesce(stored.project_id, logged.project) AS project,
       'loosening ' || coalesce(stored.id::text, logged.id) AS place, CASE
    WHEN stored.id IS NULL THEN 'it was recorded, and is gone'
    WHEN logged.id IS NULL THEN CASE WHEN NOT EXISTS (
        SELECT FROM known WHERE known.project = stored.project_id AND is_erased)
        THEN 'it is in no event' END
    WHEN logged.project <> stored.project_id THEN 'it was of another project'
    WHEN logged.data -> 'fields' IS DISTINCT FROM stored.changes THEN 'it changed something else'
    WHEN logged.data ->> 'proposed_by' <> stored.proposed_by_id::text
        THEN 'somebody else proposed it'
    WHEN CASE logged.event_type
        WHEN 'hitl_policy_loosening_proposed' THEN stored.status NOT IN ('proposed', 'superseded')
        WHEN 'hitl_policy_loosened' THEN stored.status <> 'unconfirmed'
        WHEN 'hitl_policy_loosening_confirmed' THEN stored.status <> 'confirmed'
        ELSE stored.status <> 'declined' END THEN 'it is not ' || stored.status
END AS problem
FROM logged FULL JOIN stored ON stored.id::text = logged.id

-- name: rows_of_delegations
WITH known AS ({known_events}), made AS (
    SELECT *, data ->> 'delegation' AS id FROM known
    WHERE event_type = 'delegation_made' AND NOT is_erased
), stored AS (
    SELECT * FROM hitl_delegations WHERE %(project)s::uuid IS NULL OR project_id = %(project)s::uuid
)
SELECT coalesce(stored.project_id, made.project) AS project,
       'delegation ' || coalesce(stored.id::text, made.id) AS place, CASE
    WHEN stored.id IS NULL THEN 'it was made, and is gone'
    WHEN made.id IS NULL THEN CASE WHEN NOT EXISTS (
        SELECT FROM known WHERE known.project = stored.project_id AND is_erased)
        THEN 'it is in no event' END
    WHEN made.project <> stored.project_id THEN 'it was of another project'
    WHEN made.actor <> 'user:' || stored.delegator_id THEN 'somebody else made it'
    WHEN made.data ->> 'delegate' IS DISTINCT FROM stored.delegate_id::text
        THEN 'it was to somebody else'
    WHEN (made.data ->> 'starts_at')::timestamptz <> stored.starts_at
        OR (made.data ->> 'ends_at')::timestamptz <> stored.ends_at THEN 'it was for another time'
    WHEN (stored.ended_at IS NOT NULL) <> EXISTS (
        SELECT FROM known WHERE event_type = 'delegation_ended' AND data ->> 'delegation' = made.id)
        THEN 'whether it was ended differs'
END AS problem
FROM made FULL JOIN stored ON stored.id::text = made.id

-- name: rows_of_requests
WITH known AS ({known_events}), created AS (
    SELECT * FROM known WHERE event_type = 'hitl_request_created'
), closed AS (
    SELECT DISTINCT ON (hitl_request) hitl_request, is_erased, CASE event_type
        WHEN 'hitl_request_superseded' THEN 'superseded'
        WHEN 'hitl_request_expired' THEN 'expired' ELSE data ->> 'status' END AS status
    FROM known WHERE event_type IN ('hitl_request_resolved', 'hitl_request_superseded',
                                    'hitl_request_expired')
    ORDER BY hitl_request, sequence DESC
), decided AS (
    SELECT DISTINCT ON (hitl_request) hitl_request, (data ->> 'approvals')::int AS approvals
    FROM known WHERE event_type = 'hitl_decision_recorded' AND data ? 'approvals'
    ORDER BY hitl_request, sequence DESC
), stored AS (
    SELECT * FROM hitl_requests WHERE %(project)s::uuid IS NULL OR project_id = %(project)s::uuid
), compared AS (
    SELECT stored.*, to_jsonb(stored) AS fields, created.project AS logged_project, created.data,
           created.hitl_request, created.is_erased, created.task AS logged_task,
           closed.status AS logged_status, closed.is_erased AS is_end_erased,
           closed.hitl_request IS NOT NULL AS is_closed, decided.approvals AS logged_approvals,
           EXISTS (SELECT FROM known WHERE event_type = 'hitl_request_escalated'
                   AND known.hitl_request = stored.id) AS is_escalated
    FROM created
    FULL JOIN stored ON stored.id = created.hitl_request
    LEFT JOIN closed ON closed.hitl_request = coalesce(stored.id, created.hitl_request)
    LEFT JOIN decided ON decided.hitl_request = coalesce(stored.id, created.hitl_request)
)
SELECT coalesce(project_id, logged_project) AS project,
       'request ' || coalesce(id, hitl_request) AS place, CASE
    WHEN id IS NULL THEN 'it was opened, and is gone'
    WHEN hitl_request IS NULL THEN 'no event opened it'
    WHEN logged_project <> project_id OR logged_task IS DISTINCT FROM task_id
        THEN 'it was about something else'
    WHEN NOT is_closed AND status <> 'pending' THEN 'it is ' || status || ', and nothing closed it'
    WHEN is_closed AND NOT is_end_erased AND logged_status <> status
        THEN 'it is ' || status || ', not ' || logged_status
    WHEN is_closed AND status = 'pending' THEN 'it is pending, and was closed'
    WHEN logged_approvals <> approvals THEN 'it had another number of approvals'
    WHEN is_erased THEN NULL
    WHEN data ->> 'subject_digest' <> subject_digest THEN 'it showed something else'
    ELSE (
        SELECT 'other than it was opened with: ' || string_agg(key, ', ' ORDER BY key)
        FROM jsonb_each(data) AS logged (key, value)
        WHERE key = ANY (ARRAY['kind', 'title', 'step', 'required_approvals', 'deciding_roles',
                               'barred_authors', 'prevents_self_approval', 'needs_reauthentication'])
        AND fields -> key IS DISTINCT FROM
            CASE WHEN key = 'deciding_roles' AND is_escalated THEN '["owner"]'::jsonb ELSE value END
        OR key = 'previous' AND value IS DISTINCT FROM fields -> 'previous_id')
END AS problem
FROM compared

-- name: rows_of_decisions
WITH known AS ({known_events}), logged AS (
    SELECT known.*, EXISTS (
        SELECT FROM known AS used WHERE used.event_type = 'hitl_break_glass_used'
        AND used.hitl_request = known.hitl_request AND used.actor = known.actor) AS is_break_glass
    FROM known WHERE event_type = 'hitl_decision_recorded'
), stored AS (
    SELECT decision.*, request.project_id FROM hitl_decisions AS decision
    JOIN hitl_requests AS request ON request.id = decision.request_id
    WHERE %(project)s::uuid IS NULL OR request.project_id = %(project)s::uuid
)
SELECT coalesce(stored.project_id, logged.project) AS project,
       'decision on request ' || coalesce(stored.request_id, logged.hitl_request) AS place, CASE
    WHEN stored.id IS NULL THEN logged.actor || ' decided, and the decision is gone'
    WHEN logged.project IS NULL THEN 'user:' || decided_by_id || ' is in no event'
    WHEN logged.project <> stored.project_id THEN 'it was in another project'
    WHEN stored.on_behalf_of_id IS NOT NULL AND NOT logged.is_erased AND NOT EXISTS (
        SELECT FROM known AS made WHERE made.event_type = 'delegation_made'
        AND made.project = stored.project_id AND NOT made.is_erased
        AND made.sequence < logged.sequence
        AND made.data ->> 'delegation' = logged.data ->> 'delegation'
        AND made.actor = 'user:' || stored.on_behalf_of_id
        AND made.data ->> 'delegate' = stored.decided_by_id::text
        AND stored.created_at >= (made.data ->> 'starts_at')::timestamptz
        -- It was in force when the decision began.
        AND stored.created_at < (made.data ->> 'ends_at')::timestamptz + interval '1 minute'
        AND NOT EXISTS (
            SELECT FROM known AS ended WHERE ended.event_type = 'delegation_ended'
            AND ended.project = stored.project_id AND ended.sequence < logged.sequence
            AND ended.data ->> 'delegation' = made.data ->> 'delegation'))
        THEN 'nobody had asked for it to be decided on their behalf'
    WHEN logged.is_break_glass <> stored.is_break_glass THEN 'its mark of break-glass differs'
    WHEN logged.is_erased THEN NULL
    WHEN logged.data ->> 'decision' <> stored.id::text THEN 'it was another one'
    WHEN logged.data ->> 'action' <> stored.action
        THEN 'it is ' || stored.action || ', not ' || (logged.data ->> 'action')
    WHEN logged.data ->> 'on_behalf_of' IS DISTINCT FROM stored.on_behalf_of_id::text
        THEN 'it was for somebody else'
    WHEN logged.data ->> 'subject_digest' <> stored.subject_digest THEN 'it was about something else'
    WHEN logged.data ->> 'comment' <> stored.comment THEN 'it had another comment'
    WHEN logged.data ->> 'assurance' <> stored.assurance THEN 'the person was sure in another way'
    WHEN coalesce(logged.data -> 'loosenings', 'null') <> coalesce(nullif(stored.loosenings, '[]'), 'null')
        THEN 'its mark of loosened rules differs'
END AS problem
FROM logged
FULL JOIN stored
  ON stored.request_id = logged.hitl_request AND 'user:' || stored.decided_by_id = logged.actor

-- name: rows_of_comments
WITH known AS ({known_events}), logged AS (
    SELECT * FROM known WHERE event_type = 'hitl_comment_added' AND NOT is_erased
), stored AS (
    SELECT comment.*, request.project_id FROM hitl_comments AS comment
    JOIN hitl_requests AS request ON request.id = comment.request_id
    WHERE %(project)s::uuid IS NULL OR request.project_id = %(project)s::uuid
)
SELECT coalesce(stored.project_id, logged.project) AS project,
       'comment on request ' || coalesce(stored.request_id, logged.hitl_request) AS place, CASE
    WHEN stored.id IS NULL THEN 'it was written, and is gone'
    WHEN logged.project IS NULL AND NOT EXISTS (
        SELECT FROM known WHERE project = stored.project_id AND is_erased
        AND event_type = 'hitl_comment_added') THEN 'no event wrote it'
    WHEN logged.actor <> 'user:' || stored.author_id THEN 'it is of another author'
    -- Older releases recorded no digest.
    WHEN logged.data ->> 'text_sha256' <> encode(sha256(convert_to(stored.text, 'UTF8')), 'hex')
        THEN 'it had another text'
END AS problem
FROM logged FULL JOIN stored ON stored.id::text = logged.data ->> 'comment'

-- name: rows_of_actions
-- A request names the digest of the call that it shows, also after a person has amended it.
WITH known AS ({known_events}), said AS (
    SELECT *, data ->> 'action' AS action FROM known
    WHERE event_type IN ('action_requested', 'action_decided', 'action_claimed', 'action_finished',
                         'action_unknown', 'action_closed') AND NOT is_erased
), last AS (
    SELECT DISTINCT ON (action) action, project, CASE event_type
        WHEN 'action_requested' THEN 'pending'
        WHEN 'action_claimed' THEN 'executing'
        WHEN 'action_unknown' THEN 'unknown'
        ELSE data ->> 'status' END AS status
    FROM said ORDER BY action, sequence DESC
), asked AS (
    SELECT * FROM said WHERE event_type = 'action_requested'
), shown AS (
    SELECT DISTINCT ON (action) data ->> 'action' AS action, data ->> 'action_digest' AS digest
    FROM known WHERE data ? 'action_digest' AND NOT is_erased
    AND event_type IN ('hitl_request_created', 'action_requested', 'action_decided')
    ORDER BY action, sequence DESC
), claims AS (
    SELECT action, max((data ->> 'fence')::int) AS fence FROM said
    WHERE event_type = 'action_claimed' GROUP BY action
), decided AS (
    SELECT DISTINCT ON (action) action, data ->> 'rule' AS rule FROM said
    WHERE event_type = 'action_decided' ORDER BY action, sequence
), stored AS (
    SELECT * FROM agent_actions WHERE %(project)s::uuid IS NULL OR project_id = %(project)s::uuid
)
SELECT coalesce(stored.project_id, last.project) AS project,
       'action ' || coalesce(stored.id::text, last.action) AS place, CASE
    WHEN stored.id IS NULL THEN 'it was asked for, and is gone'
    WHEN last.action IS NULL AND NOT EXISTS (
        SELECT FROM known WHERE project = stored.project_id AND is_erased
        AND event_type = 'action_requested') THEN 'no event asked for it'
    WHEN last.status <> stored.status THEN 'it is ' || stored.status || ', not ' || last.status
    WHEN shown.digest <> stored.action_digest THEN 'it is another call than was shown'
    WHEN coalesce(claims.fence, 0) <> stored.fence AND asked.action IS NOT NULL
        THEN 'it was claimed another number of times'
    WHEN decided.rule IS DISTINCT FROM stored.rule_id::text AND decided.action IS NOT NULL
        THEN 'it was decided by another standing approval, or by none'
    WHEN asked.data ->> 'credential' <> stored.credential_id::text
        THEN 'it was asked for with another credential'
    WHEN asked.data ->> 'effect' <> stored.effect THEN 'it had another effect'
END AS problem
FROM last
FULL JOIN stored ON stored.id::text = last.action
LEFT JOIN asked ON asked.action = last.action
LEFT JOIN shown ON shown.action = last.action
LEFT JOIN claims ON claims.action = last.action
LEFT JOIN decided ON decided.action = last.action

-- name: rows_of_standing_approvals
WITH known AS ({known_events}), given AS (
    SELECT *, data ->> 'rule' AS rule FROM known
    WHERE event_type = 'standing_approval_given' AND NOT is_erased
), uses AS (
    SELECT data ->> 'rule' AS rule, count(*) AS number FROM known
    WHERE event_type = 'action_decided' AND data ? 'rule' GROUP BY data ->> 'rule'
), stored AS (
    SELECT * FROM standing_approvals WHERE %(project)s::uuid IS NULL OR project_id = %(project)s::uuid
)
SELECT coalesce(stored.project_id, given.project) AS project,
       'standing approval ' || coalesce(stored.id::text, given.rule) AS place, CASE
    WHEN stored.id IS NULL THEN 'it was given, and is gone'
    WHEN given.rule IS NULL AND NOT EXISTS (
        SELECT FROM known WHERE project = stored.project_id AND (event_type = 'project_erased'
        OR is_erased AND event_type = 'standing_approval_given')) THEN 'no event gave it'
    WHEN given.actor <> 'user:' || stored.given_by_id THEN 'it is of another person'
    WHEN (given.data ->> 'uses_max')::int <> stored.uses_max THEN 'it is for another number of calls'
    WHEN (given.data ->> 'expires_at')::timestamptz <> stored.expires_at THEN 'it ends at another time'
    WHEN given.data ->> 'tool' <> stored.tool ->> 'name'
        OR given.data ->> 'server' <> coalesce(stored.tool ->> 'server', '')
        OR given.data ->> 'agent' <> stored.agent_name
        OR given.data ->> 'credential' <> stored.credential_id::text
        THEN 'it is for another tool, agent or credential'
    WHEN given.rule IS NOT NULL AND coalesce(uses.number, 0) <> stored.uses_count
        THEN 'it was used another number of times'
    WHEN given.rule IS NOT NULL AND (stored.revoked_at IS NOT NULL) <> EXISTS (
        SELECT FROM known WHERE event_type = 'standing_approval_revoked'
        AND data ->> 'rule' = given.rule) THEN 'whether it was revoked differs'
END AS problem
FROM given
FULL JOIN stored ON stored.id::text = given.rule
LEFT JOIN uses ON uses.rule = given.rule

-- name: rows_of_versions
WITH known AS ({known_events}), written AS (
    SELECT * FROM known WHERE event_type IN ('artifact_created', 'artifact_updated')
), ends AS (
    -- Which versions an older release decided on says only the request's row, and which one it
    -- wrote by an amendment only the version's.
    SELECT known.sequence, known.data ->> 'status' AS status,
           reference.value ->> 'artifact' AS artifact, reference.value ->> 'version' AS number
    FROM known
    LEFT JOIN hitl_requests AS request
      ON request.id = known.hitl_request AND NOT known.data ? 'versions'
    CROSS JOIN LATERAL jsonb_array_elements(coalesce(
        known.data -> 'versions', request.subject -> 'outputs', '[]'))
        WITH ORDINALITY AS reference (value, position)
    WHERE event_type = 'hitl_request_resolved' AND NOT is_erased
      AND (known.data ? 'versions' OR known.data ->> 'status' <> 'amended' OR position > 1)
    UNION ALL
    SELECT known.sequence, 'amended', version.artifact_id::text, version.number::text
    FROM known
    JOIN hitl_decisions AS decision ON decision.request_id = known.hitl_request
    JOIN context_artifact_versions AS version ON version.decision = decision.id
    WHERE event_type = 'hitl_request_resolved' AND known.data ->> 'status' = 'amended'
      AND NOT known.data ? 'versions'
), steps AS (
    SELECT sequence, data ->> 'artifact' AS artifact, data ->> 'version' AS number,
           data ->> 'status' AS status
    FROM written WHERE NOT is_erased
    UNION ALL
    SELECT sequence, artifact, number, CASE
        WHEN status = 'approved' OR status = 'amended' THEN 'accepted' ELSE 'rejected' END
    FROM ends WHERE status IN ('approved', 'amended', 'rejected', 'changes_requested')
), last AS (
    SELECT DISTINCT ON (artifact, number) * FROM steps ORDER BY artifact, number, sequence DESC
), statuses AS (
    SELECT artifact, number, CASE WHEN status = 'accepted' AND EXISTS (
        SELECT FROM steps AS later WHERE later.artifact = last.artifact
        AND later.number <> last.number AND later.status = 'accepted'
        AND later.sequence > last.sequence) THEN 'superseded' ELSE status END AS status
    FROM last
), stored AS (
    SELECT version.*, artifact.project_id, artifact.artifact_type, artifact.accepted_version
    FROM context_artifact_versions AS version
    JOIN context_artifacts AS artifact ON artifact.id = version.artifact_id
    WHERE %(project)s::uuid IS NULL OR artifact.project_id = %(project)s::uuid
)
SELECT coalesce(stored.project_id, logged.project) AS project,
       'version ' || coalesce(stored.number::text, logged.data ->> 'version') || ' of artifact '
       || coalesce(stored.artifact_id::text, logged.data ->> 'artifact') AS place, CASE
    WHEN stored.id IS NULL THEN 'it was written, and is gone'
    WHEN logged.project IS NULL THEN CASE WHEN NOT EXISTS (
        SELECT FROM written WHERE written.project = stored.project_id AND is_erased)
        THEN 'it is in no event' END
    WHEN logged.project <> stored.project_id THEN 'it was in another project'
    WHEN logged.data ->> 'sha256' <> stored.sha256 THEN 'it had another content'
    WHEN logged.data ->> 'artifact_type' <> stored.artifact_type THEN 'it was of another type'
    WHEN logged.task IS DISTINCT FROM stored.task THEN 'another task made it'
    WHEN coalesce(logged.data ->> 'provider', '') <> stored.provider THEN 'another provider made it'
    WHEN logged.data ->> 'model' <> stored.model THEN 'another model made it'
    WHEN (logged.data ? 'imported') <> (stored.imported IS NOT NULL)
        THEN 'whether it was imported differs'
    WHEN logged.event_source = 'user' AND stored.imported IS NULL
        AND 'user:' || coalesce(stored.author_id::text, '') <> logged.actor
        -- An older release gave what it imported no author.
        AND NOT (stored.author_id IS NULL AND EXISTS (
            SELECT FROM known WHERE known.project = logged.project AND known.data ? 'imported'
            AND event_type = 'project_updated'))
        THEN 'it has another author'
    WHEN logged.event_source <> 'user' AND stored.author_id IS NOT NULL THEN 'no person wrote it'
    WHEN logged.data -> 'is_verified' <> stored.imported -> 'is_verified'
        THEN 'whether its origin was verified differs'
    WHEN statuses.status <> stored.status THEN 'it is ' || stored.status || ', not ' || statuses.status
    WHEN stored.status = 'accepted' AND stored.accepted_version IS DISTINCT FROM stored.number
        OR stored.status = 'draft' AND stored.accepted_version = stored.number
        THEN 'the work goes on with another version'
END AS problem
FROM (SELECT * FROM written WHERE NOT is_erased) AS logged
FULL JOIN stored ON stored.artifact_id::text = logged.data ->> 'artifact'
  AND stored.number::text = logged.data ->> 'version'
LEFT JOIN statuses ON statuses.artifact = stored.artifact_id::text
  AND statuses.number = stored.number::text
