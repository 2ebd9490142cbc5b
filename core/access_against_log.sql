-- ================================================== what opens the installation, against the log
-- As in `rows_against_log.sql`. A mark is a hash over what must not stand in the log itself: whose
-- key was exchanged, is found. Events of older releases have none, and are not held against it.

-- name: installation
'00000000-0000-0000-0000-000000000000'::uuid

-- name: of_installation
(%(project)s::uuid IS NULL OR %(project)s::uuid = {installation})

-- name: of_project
(%(project)s::uuid IS NULL OR project_id = %(project)s::uuid)

-- name: rows_of_credentials
WITH known AS ({known_events}), made AS (
    SELECT *, data ->> 'credential' AS credential FROM known
    WHERE event_type = 'credential_created' AND NOT is_erased
), stored AS (
    SELECT *, encode(sha256(convert_to(token_sha256, 'UTF8')), 'hex') AS mark
    FROM agent_credentials WHERE {of_project}
)
SELECT coalesce(stored.project_id, made.project) AS project,
       'credential ' || coalesce(stored.id::text, made.credential) AS place, CASE
    WHEN stored.id IS NULL THEN 'it was made, and is gone'
    WHEN made.credential IS NULL THEN CASE WHEN NOT EXISTS (
        SELECT FROM known WHERE project = stored.project_id AND is_erased
        AND event_type = 'credential_created') THEN 'no event made it' END
    WHEN made.project <> stored.project_id THEN 'it was of another project'
    WHEN made.actor <> 'user:' || stored.created_by_id THEN 'somebody else made it'
    WHEN made.data ->> 'name' <> stored.name THEN 'it had another name'
    WHEN made.data -> 'scopes' <> to_jsonb(stored.scopes) THEN 'it had other scopes'
    WHEN made.data ? 'expires_at'
        AND (made.data ->> 'expires_at')::timestamptz IS DISTINCT FROM stored.expires_at
        THEN 'it ends at another time'
    WHEN made.data ->> 'token_mark' <> stored.mark THEN 'it had another token'
    WHEN (stored.revoked_at IS NOT NULL) <> EXISTS (
        SELECT FROM known WHERE event_type = 'credential_revoked'
        AND data ->> 'credential' = made.credential) THEN 'whether it was revoked differs'
END AS problem
FROM made FULL JOIN stored ON stored.id::text = made.credential

-- name: rows_of_invitations
-- One that is closed opens nothing.
WITH known AS ({known_events}), sent AS (
    SELECT *, data ->> 'invitation' AS invitation FROM known
    WHERE event_type = 'member_invited' AND NOT is_erased
), stored AS (
    SELECT *, encode(sha256(convert_to(token_sha256 || ':' || email, 'UTF8')), 'hex') AS mark
    FROM project_invitations WHERE closed_at IS NULL AND {of_project}
)
SELECT stored.project_id AS project, 'invitation ' || stored.id AS place, CASE
    WHEN sent.invitation IS NULL THEN CASE WHEN NOT EXISTS (
        SELECT FROM known WHERE project = stored.project_id AND is_erased
        AND event_type = 'member_invited') THEN 'no event sent it' END
    WHEN sent.project <> stored.project_id THEN 'it was of another project'
    WHEN sent.actor <> 'user:' || stored.invited_by_id THEN 'somebody else sent it'
    WHEN sent.data ->> 'role' <> stored.role THEN 'it was for another role'
    WHEN (sent.data ->> 'expires_at')::timestamptz <> stored.expires_at
        THEN 'it ends at another time'
    WHEN sent.data ->> 'link_mark' <> stored.mark THEN 'it had another link, or another address'
    WHEN EXISTS (
        SELECT FROM known WHERE event_type IN ('invitation_withdrawn', 'member_added')
        AND data ->> 'invitation' = sent.invitation) THEN 'it was closed, and is open'
END AS problem
FROM stored LEFT JOIN sent ON sent.invitation = stored.id::text

-- name: rows_of_model_endpoints
WITH known AS ({known_events}), logged AS (
    SELECT DISTINCT ON (project, data ->> 'name') *, data ->> 'name' AS name,
           event_type = 'model_endpoint_changed' AS is_there
    FROM known WHERE event_type IN ('model_endpoint_changed', 'model_endpoint_deleted')
    AND NOT is_erased ORDER BY project, data ->> 'name', sequence DESC
), stored AS (
    SELECT *, encode(sha256(convert_to(encrypted_secret || ':' || base_url, 'UTF8')), 'hex') AS mark
    FROM model_endpoints WHERE {of_project}
)
SELECT coalesce(stored.project_id, logged.project) AS project,
       'endpoint ' || coalesce(stored.name, logged.name) AS place, CASE
    WHEN stored.id IS NULL THEN CASE WHEN logged.is_there THEN 'it was set, and is gone' END
    WHEN logged.is_there IS NOT TRUE THEN 'no event set it'
    WHEN logged.data ->> 'speaks' <> stored.speaks OR logged.data ->> 'output' <> stored.output
        OR (logged.data ->> 'has_key')::boolean <> stored.has_key THEN 'other than was set'
    WHEN logged.data ->> 'mark' <> stored.mark THEN 'it had another address, key or header'
END AS problem
FROM logged FULL JOIN stored ON stored.project_id = logged.project AND stored.name = logged.name

-- name: rows_of_webhooks
WITH known AS ({known_events}), said AS (
    SELECT *, data ->> 'webhook' AS webhook FROM known
    WHERE event_type LIKE 'webhook\_%%' AND NOT is_erased
), made AS (
    SELECT * FROM said WHERE event_type = 'webhook_created'
), marks AS (
    SELECT DISTINCT ON (webhook) webhook, data ->> 'mark' AS mark FROM said
    WHERE event_type IN ('webhook_created', 'webhook_rotated') ORDER BY webhook, sequence DESC
), switches AS (
    SELECT DISTINCT ON (webhook) webhook, event_type = 'webhook_disabled' AS is_off FROM said
    WHERE event_type IN ('webhook_disabled', 'webhook_enabled') ORDER BY webhook, sequence DESC
), stored AS (
    SELECT *, encode(sha256(convert_to(secret || ':' || url, 'UTF8')), 'hex') AS mark
    FROM webhooks WHERE {of_project}
)
SELECT coalesce(stored.project_id, made.project) AS project,
       'webhook ' || coalesce(stored.id::text, made.webhook) AS place, CASE
    WHEN stored.id IS NULL THEN CASE WHEN NOT EXISTS (
        SELECT FROM said WHERE event_type = 'webhook_deleted' AND said.webhook = made.webhook)
        THEN 'it was made, and is gone' END
    WHEN made.webhook IS NULL THEN CASE WHEN NOT EXISTS (
        SELECT FROM known WHERE project = stored.project_id AND is_erased
        AND event_type = 'webhook_created') THEN 'no event made it' END
    WHEN made.project <> stored.project_id THEN 'it was of another project'
    WHEN made.actor <> 'user:' || stored.created_by_id THEN 'somebody else made it'
    WHEN made.data -> 'event_types' <> to_jsonb(stored.event_types)
        THEN 'it was told of other events'
    WHEN marks.mark <> stored.mark THEN 'it had another address or secret'
    WHEN (stored.disabled_at IS NOT NULL) <> coalesce(switches.is_off, false)
        THEN 'whether it is on differs'
END AS problem
FROM made
FULL JOIN stored ON stored.id::text = made.webhook
LEFT JOIN marks ON marks.webhook = made.webhook
LEFT JOIN switches ON switches.webhook = made.webhook

-- name: rows_of_tokens
-- One that is gone opens nothing: they also end by themselves.
WITH known AS ({known_events}), made AS (
    SELECT *, data ->> 'token' AS token FROM known
    WHERE event_type IN ('token_created', 'token_noted')
), ended AS (
    SELECT sequence, data ->> 'token' AS token, data ->> 'user' AS user_id FROM known
    WHERE event_type = 'token_revoked'
), stored AS (
    SELECT *, encode(sha256(convert_to(key_hash, 'UTF8')), 'hex') AS mark
    FROM personal_tokens WHERE {of_installation}
)
SELECT {installation} AS project, 'token ' || stored.id AS place, CASE
    WHEN made.token IS NULL THEN 'no event made it'
    WHEN made.data ->> 'user' <> stored.user_id::text THEN 'it is of another person'
    WHEN made.data -> 'scopes' <> to_jsonb(stored.scopes) THEN 'it had other scopes'
    WHEN (made.data ->> 'expires_at')::timestamptz <> stored.expires_at
        THEN 'it ends at another time'
    WHEN made.data ->> 'key_mark' <> stored.mark THEN 'it had another key'
    WHEN EXISTS (
        SELECT FROM ended WHERE ended.sequence > made.sequence
        AND coalesce(ended.token = made.token, ended.user_id = made.data ->> 'user'))
        THEN 'it was revoked, and is there'
END AS problem
FROM stored LEFT JOIN made ON made.token = stored.id::text

-- name: rows_of_users
WITH known AS (
    SELECT * FROM ({known_events}) AS event
    WHERE event_type IN ('user_created', 'user_noted', 'user_changed', 'user_deleted',
                         'password_changed')
), fields AS (
    SELECT known.data ->> 'user' AS id, known.sequence, field.key, field.value
    FROM known, LATERAL (
        SELECT key, value FROM jsonb_each(known.data)
        UNION ALL SELECT key, value -> 'new' FROM jsonb_each(known.data -> 'fields')
        -- Of an older release: from then on its mark is not known.
        UNION ALL SELECT 'password_mark', NULL
        WHERE known.event_type = 'password_changed' AND NOT known.data ? 'password_mark'
    ) AS field
    WHERE key IN ('username', 'is_active', 'is_staff', 'is_superuser', 'password_mark',
                  'email_mark')
), last AS (
    SELECT DISTINCT ON (id, key) * FROM fields ORDER BY id, key, sequence DESC
), logged AS (
    SELECT known.data ->> 'user' AS id, bool_or(event_type = 'user_deleted') AS is_deleted
    FROM known GROUP BY known.data ->> 'user'
), stored AS (
    SELECT id::text, to_jsonb(auth_user) || jsonb_build_object(
               'password_mark', encode(sha256(convert_to(
                   'paraph.token.password:' || password, 'UTF8')), 'hex'),
               'email_mark', encode(sha256(convert_to(
                   'paraph.user.email:' || email, 'UTF8')), 'hex')) AS fields
    FROM auth_user WHERE {of_installation}
), differing AS (
    SELECT id, string_agg(replace(key, '_mark', ''), ', ' ORDER BY key) AS keys
    FROM last JOIN stored USING (id) WHERE value <> stored.fields -> key GROUP BY id
)
SELECT {installation} AS project, 'user ' || coalesce(stored.id, logged.id) AS place, CASE
    WHEN stored.id IS NULL THEN CASE WHEN NOT is_deleted THEN 'there was one, who is gone' END
    WHEN logged.id IS NULL THEN 'no event made this user'
    WHEN logged.is_deleted THEN 'the user was deleted, and is there'
    ELSE 'other than was recorded: ' || differing.keys
END AS problem
FROM logged FULL JOIN stored ON stored.id = logged.id
LEFT JOIN differing ON differing.id = stored.id

-- name: rows_of_rights
-- Pairs of who has something and what: groups of users, permissions of both. Django records either
-- side of a relation.
WITH known AS (
    SELECT * FROM ({known_events}) AS event
    WHERE event_type IN ('rights_changed', 'access_noted', 'user_deleted', 'group_changed')
), permissions AS (
    SELECT permission.id, app_label || '.' || codename AS key FROM auth_permission AS permission
    JOIN django_content_type AS type ON type.id = permission.content_type_id
), ended AS (
    SELECT 'user' AS kind, data ->> 'user' AS id FROM known WHERE event_type = 'user_deleted'
    UNION ALL
    SELECT 'group', data ->> 'group' FROM known WHERE data ->> 'what' = 'deleted'
), steps AS (
    SELECT sequence, data ? 'added' AS is_given, element.value AS other,
           data ->> 'key' AS id, data ->> 'of' AS side, data ->> 'kind' AS kind,
           data ->> 'of' = 'permission' OR data ->> 'kind' = 'user' AS is_reversed
    FROM known, jsonb_array_elements_text(data -> 'keys') AS element
), last AS (
    SELECT DISTINCT ON (holder, holder_id, held, held_id) * FROM (
        SELECT sequence, is_given,
               CASE WHEN is_reversed THEN kind ELSE side END AS holder,
               CASE WHEN is_reversed THEN other ELSE id END AS holder_id,
               CASE WHEN is_reversed THEN side ELSE kind END AS held,
               CASE WHEN is_reversed THEN id ELSE other END AS held_id
        FROM steps) AS pair
    ORDER BY holder, holder_id, held, held_id, sequence DESC
), logged AS (
    SELECT *, true AS is_there FROM last WHERE is_given
    AND NOT EXISTS (SELECT FROM ended WHERE (kind, id) IN ((holder, holder_id), (held, held_id)))
    AND (held = 'group' OR EXISTS (SELECT FROM permissions WHERE key = held_id))
), stored AS (
    SELECT *, true AS is_there FROM (
        SELECT 'user' AS holder, user_id::text AS holder_id, 'group' AS held,
               group_id::text AS held_id FROM auth_user_groups
        UNION ALL
        SELECT 'user', user_id::text, 'permission', key
        FROM auth_user_user_permissions JOIN permissions ON permissions.id = permission_id
        UNION ALL
        SELECT 'group', group_id::text, 'permission', key
        FROM auth_group_permissions JOIN permissions ON permissions.id = permission_id) AS pair
    WHERE {of_installation}
)
SELECT {installation} AS project, 'rights of ' || holder || ' ' || holder_id AS place, CASE
    -- An older release beside this one recorded names alone.
    WHEN EXISTS (
        SELECT FROM known WHERE event_type = 'rights_changed' AND NOT data ? 'keys'
        AND ((data ->> 'of', data ->> 'id') IN ((holder, holder_id), (held, held_id)))
        AND sequence > coalesce((
            SELECT max(sequence) FROM known WHERE event_type = 'access_noted'), 0)) THEN NULL
    WHEN stored.is_there IS NULL THEN 'had the ' || held || ' ' || held_id || ', which is gone'
    WHEN logged.is_there IS NULL THEN 'no event gave the ' || held || ' ' || held_id
END AS problem
FROM logged FULL JOIN stored USING (holder, holder_id, held, held_id)

-- name: rows_of_user_groups
-- Of groups that this or an older release has recorded: projects and the provider name them.
WITH known AS ({known_events}), logged AS (
    SELECT DISTINCT ON (data ->> 'group') data ->> 'group' AS id, data ->> 'name' AS name,
           data ->> 'what' <> 'deleted' AS is_there
    FROM known WHERE event_type = 'group_changed' ORDER BY data ->> 'group', sequence DESC
), stored AS (
    SELECT * FROM auth_group WHERE {of_installation}
)
SELECT {installation} AS project, 'group ' || logged.id AS place, CASE
    WHEN stored.id IS NULL THEN CASE WHEN is_there THEN 'there was one, which is gone' END
    WHEN NOT is_there THEN 'it was deleted, and is there'
    WHEN stored.name <> logged.name THEN 'it had another name'
END AS problem
FROM logged LEFT JOIN stored ON stored.id::text = logged.id

-- name: rows_of_identities
WITH known AS ({known_events}), last AS (
    SELECT DISTINCT ON (data ->> 'user', data ->> 'provider', data ->> 'uid')
           data ->> 'user' AS user_id, data ->> 'provider' AS provider, data ->> 'uid' AS uid,
           event_type = 'identity_linked' AS is_there
    FROM known WHERE event_type IN ('identity_linked', 'identity_unlinked')
    ORDER BY data ->> 'user', data ->> 'provider', data ->> 'uid', sequence DESC
), stored AS (
    SELECT * FROM socialaccount_socialaccount WHERE {of_installation}
)
SELECT {installation} AS project,
       'single sign-on of user ' || coalesce(stored.user_id::text, last.user_id) AS place, CASE
    WHEN stored.id IS NULL THEN CASE WHEN last.is_there THEN 'it was linked, and is gone' END
    WHEN last.is_there IS NOT TRUE THEN 'no event linked it'
END AS problem
FROM last FULL JOIN stored ON stored.user_id::text = last.user_id
  AND stored.provider = last.provider AND stored.uid = last.uid

-- name: rows_of_second_factors
-- By their number: two of a kind look the same in the log.
WITH known AS ({known_events}), logged AS (
    SELECT data ->> 'user' AS user_id, data ->> 'kind' AS kind,
           sum(CASE event_type WHEN 'second_factor_added' THEN 1 ELSE -1 END) AS number
    FROM known WHERE event_type IN ('second_factor_added', 'second_factor_removed')
    GROUP BY data ->> 'user', data ->> 'kind'
), stored AS (
    SELECT user_id::text, type AS kind, count(*) AS number FROM mfa_authenticator
    WHERE {of_installation} GROUP BY user_id, type
)
SELECT {installation} AS project,
       'second factor of user ' || coalesce(stored.user_id, logged.user_id) AS place, CASE
    WHEN coalesce(stored.number, 0) < coalesce(logged.number, 0)
        THEN coalesce(stored.kind, logged.kind) || ' was added, and is gone'
    WHEN coalesce(stored.number, 0) > coalesce(logged.number, 0)
        THEN 'no event added ' || stored.kind
END AS problem
FROM logged FULL JOIN stored ON stored.user_id = logged.user_id AND stored.kind = logged.kind

-- name: rows_of_floor
WITH known AS ({known_events}), logged AS (
    SELECT DISTINCT ON (field.key) field.key, field.value -> 'new' AS value
    FROM known, jsonb_each(known.data -> 'fields') AS field
    WHERE event_type = 'floor_changed' ORDER BY field.key, known.sequence DESC
), stored AS (
    SELECT field.key, field.value FROM (
        SELECT coalesce(max(oversight_level), 'low') AS oversight_level,
               coalesce(bool_or(prevent_self_approval), false) AS prevent_self_approval,
               coalesce((SELECT required_approvals FROM installation_floor), '{}')
                   AS required_approvals
        FROM installation_floor) AS floor, jsonb_each(to_jsonb(floor)) AS field
    WHERE {of_installation}
)
SELECT {installation} AS project, 'installation floor' AS place, CASE
    WHEN coalesce(logged.value, unset.value) <> stored.value
        THEN 'other than was set: ' || stored.key
END AS problem
FROM stored
JOIN jsonb_each('{"oversight_level": "low", "prevent_self_approval": false,
                  "required_approvals": {}}') AS unset USING (key)
LEFT JOIN logged USING (key)
