"""What the log of the installation tells of people and their keys."""

from audit.event_types import register_event_type

USER_LOGGED_IN = register_event_type("user_logged_in")
LOGIN_FAILED = register_event_type("login_failed")
#: Those that were not recorded one by one, counted.
LOGINS_FAILED = register_event_type("logins_failed", label="Logins failed, counted")
TOKEN_CREATED = register_event_type("token_created")
#: One that was there before the log had it.
TOKEN_NOTED = register_event_type("token_noted")
TOKEN_REVOKED = register_event_type("token_revoked")
SECOND_FACTOR_ADDED = register_event_type("second_factor_added")
SECOND_FACTOR_REMOVED = register_event_type("second_factor_removed")
USER_CREATED = register_event_type("user_created")
#: One who was there before the log of the installation, as they were when it began.
USER_NOTED = register_event_type("user_noted")
USER_CHANGED = register_event_type("user_changed")
USER_DELETED = register_event_type("user_deleted")
PASSWORD_CHANGED = register_event_type("password_changed")
RIGHTS_CHANGED = register_event_type("rights_changed")
#: Of a user or a group: what was there before the log had it, as it was then.
ACCESS_NOTED = register_event_type("access_noted")
IDENTITY_LINKED = register_event_type("identity_linked", label="Single sign-on linked")
IDENTITY_UNLINKED = register_event_type("identity_unlinked", label="Single sign-on unlinked")
GROUP_CHANGED = register_event_type("group_changed")
