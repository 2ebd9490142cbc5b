"""Settings. Deployment values come from the environment; a bad one stops the start and says why."""

import os
import warnings
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from ops.devserver.runtime import default_data_dir, load_runtime_environment
from orchestrator.checks import is_production, why_not_start
from orchestrator.environment import (
    Environment,
    TracingEnvironment,
    database_settings,
    load_env_file,
    mail_settings,
    read_endpoints,
    read_options,
    read_variables,
    secret_values,
    with_secrets,
)

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"

load_env_file(BASE_DIR / ".env")
load_runtime_environment()
env = read_variables(Environment)

DEBUG = env.DEBUG
SECRET_KEY = env.SECRET_KEY
ALLOWED_HOSTS = env.ALLOWED_HOSTS
CSRF_TRUSTED_ORIGINS = env.CSRF_TRUSTED_ORIGINS

# A proxy of this installation terminates TLS and sets X-Forwarded-Proto itself.
BEHIND_TLS_PROXY = env.BEHIND_TLS_PROXY
PRODUCTION = is_production(hosts=ALLOWED_HOSTS, behind_proxy=BEHIND_TLS_PROXY)
if PRODUCTION and (reason := why_not_start(debug=DEBUG, secret_key=SECRET_KEY)):
    raise ImproperlyConfigured(f"Not started, because this is production: {reason}")

INSTALLED_APPS = [
    "ui.web.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    # Templates of django-allauth use it.
    "django.contrib.humanize",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "django_celery_results",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.mfa",
    "core",
    "audit",
    "accounts",
    "projects",
    "context",
    "agents",
    "hitl",
    "orchestrator",
    "notifications",
    "ops",
    "ui.web",
    "ui.terminal",
]

MIDDLEWARE = [
    "audit.middleware.OriginMiddleware",
    "ops.metrics.middleware.MetricsMiddleware",
    "orchestrator.throttle.ThrottleMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "ui.web.content_policy.ContentPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "orchestrator.middleware.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.current_actor.CurrentActorMiddleware",
    "accounts.profiles.TimeZoneMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "ui.web.visible_text.VisibleTextMiddleware",
    # Last, because it is synchronous: then so are all that could be either, and a request changes
    # between the event loop and its thread only at both ends, not for each of them.
    "orchestrator.middleware.DatabaseAwayMiddleware",
]

ROOT_URLCONF = "orchestrator.urls"
ASGI_APPLICATION = "orchestrator.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Before the templates of the apps: the frame of the admin is ours.
        "DIRS": [BASE_DIR / "ui" / "web" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": database_settings(env.DATABASE_URL)}
DATABASES["default"]["CONN_MAX_AGE"] = 600
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["OPTIONS"]["connect_timeout"] = 3
if env.DATABASE_POOL:
    # The web server answers each request in a thread of its own: a connection that is kept by
    # its thread would be opened again for every request.
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    # The pause doubles after each failed attempt: after an outage of minutes it would be minutes
    # more. An attempt that is given up makes room for a new one at once.
    pool = {"min_size": 2, "max_size": 20, "timeout": 3, "reconnect_timeout": 2}
    DATABASES["default"]["OPTIONS"]["pool"] = pool
# Of a worker whose jobs are threads. A job holds a connection while it reads and writes, not while
# it waits for a model; with more of them a process, whose threads take turns, would do no more.
AGENT_DATABASE_POOL = {"min_size": 1, "max_size": 3, "timeout": 60, "reconnect_timeout": 2}
# PostgreSQL plans a statement once a connection, which halves its work. Turn it off behind a pooler
# in transaction mode that does not keep prepared statements apart.
if env.DATABASE_PREPARE:
    DATABASES["default"]["OPTIONS"] |= {"server_side_binding": True, "prepare_threshold": 2}
# Who owns the tables, for `migrate` and `restore` alone. Servers and workers do not get it.
MIGRATION_DATABASE = None
if env.MIGRATION_DATABASE_URL:
    MIGRATION_DATABASE = database_settings(env.MIGRATION_DATABASE_URL)

REDIS_URL = env.REDIS_URL

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = ["core.login_throttle.GuardedBackend"]
# Login attempts in five minutes, by name and address; ten times as many for an address.
LOGIN_TRIES = env.LOGIN_TRIES
# Of a token that is made without an expiry.
TOKEN_DAYS = env.TOKEN_DAYS
# Login by an identity provider, second factors, and passwords forgotten: django-allauth.
OIDC_SERVER_URL, OIDC_NAME = env.OIDC_SERVER_URL, env.OIDC_NAME
OIDC_GROUPS_CLAIM, OIDC_GROUPS = env.OIDC_GROUPS_CLAIM, env.OIDC_GROUPS
ACCOUNT_ADAPTER = "ui.web.login.AccountAdapter"
ACCOUNT_FORMS = {"reset_password": "accounts.single_sign_on.ResetPasswordForm"}
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if BEHIND_TLS_PROXY else "http"
SOCIALACCOUNT_ADAPTER = "ui.web.login.SingleSignOnAdapter"
# A form would be stopped by the content policy on its way to the provider; a link is not.
SOCIALACCOUNT_LOGIN_ON_GET = True
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "sso",
                "name": OIDC_NAME,
                "client_id": env.OIDC_CLIENT_ID,
                "secret": env.OIDC_CLIENT_SECRET,
                "settings": {"server_url": OIDC_SERVER_URL},
            }
        ]
        if OIDC_SERVER_URL
        else [],
    }
}
MFA_ADAPTER = "ui.web.login.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Paraph"
# Keys need HTTPS, or a browser on the machine itself.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not BEHIND_TLS_PROXY
# How long the link of an invitation works, and whether it makes an account of somebody without one.
INVITATION_DAYS = env.INVITATION_DAYS
INVITATIONS_MAKE_ACCOUNTS = env.INVITATIONS_MAKE_ACCOUNTS
# Requests to one server process. 0: no limit.
THROTTLE_USER_PER_MINUTE = env.THROTTLE_USER_PER_MINUTE
THROTTLE_ADDRESS_PER_MINUTE = env.THROTTLE_ADDRESS_PER_MINUTE
# What one person may have at once. 0: no limit.
PROJECTS_PER_USER = env.PROJECTS_PER_USER
RUNNING_PROJECTS_PER_USER = env.RUNNING_PROJECTS_PER_USER
OPEN_TASKS_PER_USER = env.OPEN_TASKS_PER_USER
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
FORMAT_MODULE_PATH = "ui.formats"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = True
# Before `collectstatic` the finders serve; that needs no warning at every start.
warnings.filterwarnings("ignore", message="No directory at", category=UserWarning)
# Files are sent from disk, in a thread; the text of the warning would stand between lines of JSON.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous")

# A brief has up to 100,000 characters, of up to 4 bytes each, escaped as JSON.
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS_PROXY
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS_PROXY else None
SECURE_HSTS_SECONDS = 30 * 24 * 3600 if BEHIND_TLS_PROXY else 0
SECURE_SSL_REDIRECT = BEHIND_TLS_PROXY
# Probes come from inside, without TLS.
SECURE_REDIRECT_EXEMPT = [r"^health", r"^metrics"]
# Whether subdomains and preload lists are bound to TLS too is up to the owner of the domain.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [{"address": REDIS_URL, "socket_connect_timeout": 1}],
            "prefix": env.CHANNEL_PREFIX,
        },
    }
}

CELERY_BROKER_URL = REDIS_URL
# Jobs write their own rows: tasks, attempts, events. Failed jobs are listed in the admin.
CELERY_RESULT_BACKEND = "ops.job_results.JobResults"
CELERY_RESULT_EXTENDED = True
CELERY_RESULT_EXPIRES = timedelta(days=env.JOB_RESULT_DAYS)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = True
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 8.0
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TASK_TIME_LIMIT = 1800
CELERY_TASK_SOFT_TIME_LIMIT = 1740
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_timeout": 5,
    "socket_connect_timeout": 1,
    "socket_keepalive": True,
    # A message that cannot be sent is lost at once; the sweep enqueues again.
    "max_retries": 0,
    "global_keyprefix": env.QUEUE_PREFIX,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_DEFAULT_QUEUE = "engine"
# What finds lost work again shares no process with work that may hang.
CELERY_TASK_ROUTES = {
    "agents.tasks.*": {"queue": "agents"},
    "orchestrator.tasks.make_document": {"queue": "agents"},
    "orchestrator.tasks.sweep": {"queue": "sweep"},
    # It waits for the database alone, among many that wait.
    "audit.tasks.verify_logs": {"queue": "agents"},
    # As does this, for receivers that may be slow.
    "notifications.tasks.*": {"queue": "agents"},
}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "sweep": {
        "task": "orchestrator.tasks.sweep",
        "schedule": 1.0,
    },
    "checkpoint": {
        "task": "audit.tasks.checkpoint",
        "schedule": 300.0,
    },
    "verify_logs": {
        "task": "audit.tasks.verify_logs",
        "schedule": 60.0,
        # Where all are busy, one of them is enough.
        "options": {"expires": 55},
    },
    "verify_signed_log": {
        "task": "audit.tasks.verify_signed_log",
        "schedule": 3600.0,
    },
    "tell": {
        "task": "notifications.tasks.tell",
        "schedule": 3.0,
        "options": {"expires": 30},
    },
    "raise_alarms": {
        "task": "notifications.tasks.raise_alarms",
        "schedule": 60.0,
        "options": {"expires": 55},
    },
    "forget_deliveries": {
        "task": "notifications.tasks.forget_deliveries",
        "schedule": 3600.0,
    },
    # Celery runs it by itself at four in the morning, when a laptop sleeps.
    "celery.backend_cleanup": {
        "task": "celery.backend_cleanup",
        "schedule": 600.0,
    },
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "core.authentication.KeyAuthentication",
        "projects.credentials.CredentialAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["core.throttles.UserThrottle"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "core.pagination.PageNumberPagination",
    "DEFAULT_SCHEMA_CLASS": "core.schema.AutoSchema",
    "EXCEPTION_HANDLER": "core.problems.exception_handler",
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "rest_framework.renderers.BrowsableAPIRenderer",
    ],
    "DEFAULT_PARSER_CLASSES": ["core.parsers.JSONParser"],
    "PAGE_SIZE": 50,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Paraph",
    "DESCRIPTION": "Control plane for work done by AI agents and signed off by people.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.1",
    "LICENSE": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
    "CONTACT": {"name": "Who runs this installation"},
    "SERVERS": [{"url": "/", "description": "This installation."}],
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v[0-9]",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "PREPROCESSING_HOOKS": ["core.schema.forget_choices"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "core.schema.describe_choices",
        "orchestrator.openapi.describe_contents",
        "orchestrator.openapi.describe_stream",
        "core.api_names.name_things",
        "orchestrator.openapi.add_examples",
    ],
    "ENUM_NAME_OVERRIDES": {
        "ActionOutcomeEnum": "hitl.agent_actions.serializers.OUTCOME_CHOICES",
        "ActionStatusEnum": "hitl.enums.ActionStatus",
        "ContextFormEnum": "context.enums.Form",
        "ContextNeedEnum": "context.enums.Need",
        "DecisionActionEnum": "hitl.actions.action_choices",
        "DifferingPartEnum": "hitl.serializers.WHATS",
        "PossibleDecisionEnum": "hitl.agent_actions.asks.MAY_BE_ALLOWED",
        "StatisticsPeriodEnum": "hitl.statistics.PERIODS",
        "StopScopeEnum": "agents.stops.serializers.SCOPES",
        "VerdictEnum": ["pass", "fail"],
        "WaitingForEnum": ["agent", "person", "operator"],
        "AgentStateEnum": "agents.enums.AgentState",
        "AgentTypeEnum": "projects.agent_types.agent_type_choices",
        "ArtifactVersionStatusEnum": "context.enums.VersionStatus",
        "AttemptOutcomeEnum": "agents.enums.AttemptOutcome",
        "AssuranceEnum": "hitl.enums.Assurance",
        "ChangeEnum": "context.enums.Change",
        "ConceptKindEnum": "context.enums.ConceptKind",
        "DerivationKindEnum": "context.enums.DerivationKind",
        "DeliveryStatusEnum": "notifications.enums.DeliveryStatus",
        "LooseningStatusEnum": "hitl.enums.LooseningStatus",
        "OversightLevelEnum": "projects.enums.OversightLevel",
        "ProjectStatusEnum": "projects.enums.ProjectStatus",
        "RequestKindEnum": "agents.enums.RequestKind",
        "RoleEnum": "projects.enums.Role",
        "RequestStatusEnum": "hitl.enums.RequestStatus",
        "SectionKindEnum": "context.enums.SectionKind",
        "StopLevelEnum": "agents.enums.StopLevel",
        "CredentialScopeEnum": "projects.enums.CredentialScope",
        "TokenScopeEnum": "core.authentication.Scope",
        "ToolEnum": "agents.tool.tool_choices",
        "ToolOutcomeEnum": "agents.enums.ToolOutcome",
        "TaskStatusEnum": "agents.enums.TaskStatus",
    },
}


# Each role is a module there; apps, and so the registry, load later than this.
AGENT_TYPES = sorted(
    path.stem for path in (BASE_DIR / "agents" / "roles").glob("*.py") if path.stem != "__init__"
)
MODEL_DEFAULT = env.MODEL_DEFAULT
AGENT_MODELS = {
    agent: os.environ.get(f"MODEL_{agent.upper()}", "").strip() or MODEL_DEFAULT
    for agent in AGENT_TYPES
}
# Where models are served, by the name that stands before the colon of a model.
MODEL_ENDPOINTS = read_endpoints(env.MODEL_ENDPOINTS)
# What is asked of a model beside the work, by agent; "" for those without options of their own.
MODEL_OPTIONS = read_options(env, AGENT_TYPES)
MODEL_PROVIDERS = {"demo": "agents.providers.demo.DemoModel"}
MODEL_MAX_TOKENS = env.MODEL_MAX_TOKENS
# Estimated tokens of a whole prompt: for all models, and for single ones.
CONTEXT_BUDGET = env.CONTEXT_BUDGET
CONTEXT_BUDGETS = {"demo": 5_000_000} | env.CONTEXT_BUDGETS
MODEL_TIMEOUT_SECONDS = env.MODEL_TIMEOUT_SECONDS
# Of an agent that uses tools, for one artifact; after that it hands in what it has.
# What a model is writing is shown to those who watch its project.
MODEL_STREAMING = env.MODEL_STREAMING
# How old what a process knows of own agent types may be.
AGENT_TYPES_SECONDS = 1.0
AGENT_MAX_TURNS = env.AGENT_MAX_TURNS
AGENT_MAX_TOKENS = env.AGENT_MAX_TOKENS
AGENT_MAX_SECONDS = env.AGENT_MAX_SECONDS
WORKSPACE_MAX_BYTES = env.WORKSPACE_MAX_BYTES
OPENAI_API_KEY = env.OPENAI_API_KEY
OPENAI_BASE_URL = env.OPENAI_BASE_URL
ANTHROPIC_API_KEY = env.ANTHROPIC_API_KEY
GOOGLE_API_KEY = env.GOOGLE_API_KEY
OLLAMA_BASE_URL = env.OLLAMA_BASE_URL
# Hosts that owners of projects may name in endpoints of their own, beside those of big providers.
MODEL_ENDPOINT_HOSTS = env.MODEL_ENDPOINT_HOSTS
# Search by meaning. The app, and its table, are there only where it is on.
SEMANTIC_SEARCH = env.SEMANTIC_SEARCH
EMBEDDING_MODEL = env.EMBEDDING_MODEL
EMBEDDING_API_KEY = env.EMBEDDING_API_KEY
EMBEDDING_BASE_URL = env.EMBEDDING_BASE_URL
if SEMANTIC_SEARCH:
    INSTALLED_APPS.insert(INSTALLED_APPS.index("agents"), "semantic")
    CELERY_BEAT_SCHEDULE["embed"] = {
        "task": "semantic.tasks.embed_new_texts",
        "schedule": 15.0,
        "options": {"queue": "agents"},
    }
# Tasks that a worker with threads works on at once.
AGENT_CONCURRENCY = env.AGENT_CONCURRENCY
# Tasks at work, in the whole installation, whose agent uses the model. None or 0: any number.
MODEL_CONCURRENCY = env.MODEL_CONCURRENCY
# What models were told and answered: keep, on_failure or never; and for how long.
MODEL_TRANSCRIPTS = env.MODEL_TRANSCRIPTS
MODEL_TRANSCRIPT_DAYS = env.MODEL_TRANSCRIPT_DAYS
# For a million tokens. A model whose price is not known counts as much against budgets.
MODEL_PRICES = env.MODEL_PRICES
MODEL_PRICE_UNKNOWN = env.MODEL_PRICE_UNKNOWN
# The most that all models may cost, ever and on one day (UTC). None: no limit.
BUDGET_MICROS = None if env.BUDGET is None else int(env.BUDGET * 1_000_000)
BUDGET_DAY_MICROS = None if env.BUDGET_DAY is None else int(env.BUDGET_DAY * 1_000_000)
# Programs that a worker process runs at once: they need processor time, which models do not.
SANDBOX_CONCURRENCY = env.SANDBOX_CONCURRENCY or os.cpu_count() or 1
SANDBOX_ALLOW_NETWORK = env.SANDBOX_ALLOW_NETWORK
SANDBOX_ALLOW_FILES = env.SANDBOX_ALLOW_FILES

# How long an approved action may be claimed, and how long a claim lasts without a heartbeat.
ACTION_APPROVED_SECONDS = env.ACTION_APPROVED_SECONDS
ACTION_LEASE_SECONDS = env.ACTION_LEASE_SECONDS
# Outside of the database: a JSON Web Key Set, made where it is not there. Empty: no grants.
GRANT_KEY_FILE = env.GRANT_KEY_FILE
GRANT_ISSUER = env.GRANT_ISSUER

# The policy of projects that have none of their own. Seconds; 0: never.
HITL_POLICY = {
    "prevent_self_approval": env.HITL_PREVENT_SELF_APPROVAL,
    "answers_count_as_content": env.HITL_ANSWERS_COUNT_AS_CONTENT,
    "required_approvals": env.HITL_REQUIRED_APPROVALS,
    "reauthenticate": [str(kind) for kind in env.HITL_REAUTHENTICATE],
    "ask_before_tools": env.HITL_ASK_BEFORE_TOOLS,
    "roles_by_kind": {},
    "roles_by_phase": {},
    "remind_after": env.HITL_REMIND_AFTER or None,
    "due_after": env.HITL_DUE_AFTER or None,
    "expire_after": env.HITL_EXPIRE_AFTER or None,
    "on_timeout": env.HITL_ON_TIMEOUT.value,
}
# What no project may go below. Superusers can raise it in the admin, never lower it.
POLICY_FLOOR = {
    "oversight_level": env.FLOOR_OVERSIGHT_LEVEL.value,
    "required_approvals": env.FLOOR_REQUIRED_APPROVALS,
    "prevent_self_approval": env.FLOOR_PREVENT_SELF_APPROVAL,
}
# For how long a login, or the password given again, counts as fresh.
REAUTHENTICATION_SECONDS = env.REAUTHENTICATION_SECONDS
# For how long a claimed request is reserved for the person who claimed it.
HITL_CLAIM_SECONDS = env.HITL_CLAIM_SECONDS

# Where people reach the installation: what links in mails and messages begin with.
PUBLIC_URL = env.PUBLIC_URL or next(
    (origin for origin in CSRF_TRUSTED_ORIGINS if "*" not in origin),
    os.environ.get("PARAPH_URL") or "http://127.0.0.1:8000",
)
PUBLIC_URL = PUBLIC_URL.rstrip("/")
# Without a mail server operators read on a page what would have been sent.
OUTBOX_BACKEND = "notifications.outbox.OutboxBackend"
EMAIL_BACKEND = OUTBOX_BACKEND
if env.EMAIL_URL:
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    globals().update(mail_settings(env.EMAIL_URL))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.EMAIL_FROM
SLACK_BOT_TOKEN, SLACK_SIGNING_SECRET = env.SLACK_BOT_TOKEN, env.SLACK_SIGNING_SECRET
SLACK_APP_TOKEN = env.SLACK_APP_TOKEN
SLACK_API_URL = f"{env.SLACK_API_URL.rstrip('/')}/"
APPRISE_URLS, APPRISE_KINDS = env.APPRISE_URLS, env.APPRISE_KINDS
# Networks beside the internet to which webhooks may be sent.
WEBHOOK_ALLOWED_NETWORKS = env.WEBHOOK_ALLOWED_NETWORKS
# What signs messages to browsers. Beside the data of `manage.py up` where nothing else is said.
PUSH_KEY_FILE = env.PUSH_KEY_FILE

# Seconds. A worker that does not renew its lease in time has lost the task.
TASK_LEASE_SECONDS = 30
TASK_HEARTBEAT_SECONDS = 10
TASK_RETRY_DELAYS_SECONDS = (1, 2, 4)
TASK_MAX_CRASHES = 3
# How often a worker looks for an emergency stop that it was not notified of.
STOP_POLL_SECONDS = 1
# A due task or project that no worker took is enqueued again after this long; sooner if no job
# waits in the queue, because then the message was lost.
REDELIVERY_SECONDS = 10

# Where signed checkpoints of the log are written, and the key that signs them: the database holds
# neither. Beside the data of `manage.py up` where nothing else is said; elsewhere there are none.
CHECKPOINT_DIR, CHECKPOINT_KEY_FILE = env.CHECKPOINT_DIR, env.CHECKPOINT_KEY_FILE
if (_data_dir := default_data_dir()).is_dir():
    CHECKPOINT_DIR = CHECKPOINT_DIR or str(_data_dir / "checkpoints")
    CHECKPOINT_KEY_FILE = CHECKPOINT_KEY_FILE or str(_data_dir / "checkpoint.key")
    PUSH_KEY_FILE = PUSH_KEY_FILE or str(_data_dir / "push.pem")
CHECKPOINT_WITNESS_URL = env.CHECKPOINT_WITNESS_URL
CHECKPOINT_TSA_URL, CHECKPOINT_TSA_ROOTS = env.CHECKPOINT_TSA_URL, env.CHECKPOINT_TSA_ROOTS
TRUSTED_LOG_KEYS = env.TRUSTED_LOG_KEYS
# Where `archive_events` has put what it took out of the database.
ARCHIVE_DIR = env.ARCHIVE_DIR

# Where the processes of one machine share their counters. The library reads its own variable when
# it is first imported.
METRICS_DIR = env.METRICS_DIR
if METRICS_DIR:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = METRICS_DIR
    from ops.metrics.files import count_in_files

    count_in_files()
METRICS_TOKEN = env.METRICS_TOKEN
# Folders on the disks of PostgreSQL and Redis, where this process sees them. Below the floor, or a
# tenth of a small disk, nothing new is written.
DISK_FOLDERS = env.DISK_FOLDERS
DISK_FLOOR_MB = env.DISK_FLOOR_MB
METRICS_LISTEN = env.METRICS_LISTEN

# The OTEL_... variables, which the library reads itself, say where traces go and how many.
TRACES = env.TRACES
if TRACES:
    read_variables(TracingEnvironment)
    MIDDLEWARE = ["ops.tracing.TracesMiddleware", *MIDDLEWARE]
# Who takes decisions as scores of those traces.
LANGFUSE_BASE_URL, PHOENIX_BASE_URL = env.LANGFUSE_BASE_URL, env.PHOENIX_BASE_URL
LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY = env.LANGFUSE_PUBLIC_KEY, env.LANGFUSE_SECRET_KEY
PHOENIX_API_KEY = env.PHOENIX_API_KEY
TAKES_SCORES = bool(LANGFUSE_BASE_URL or PHOENIX_BASE_URL)

LOG_LEVEL = env.LOG_LEVEL
LOG_FORMAT = env.LOG_FORMAT
_secrets = secret_values(
    with_secrets(os.environ),
    SECRET_KEY,
    DATABASES["default"]["PASSWORD"],
    (MIGRATION_DATABASE or {}).get("PASSWORD", ""),
    *(endpoint.key for endpoint in MODEL_ENDPOINTS.values()),
    # Short ones are words.
    *(h for one in MODEL_ENDPOINTS.values() for h in one.headers.values() if len(h) >= 12),
    urlsplit(REDIS_URL).password or "",
    globals().get("EMAIL_HOST_PASSWORD", ""),
    *APPRISE_URLS,
)
# What neither a log nor a transcript may show.
SECRET_VALUES = _secrets
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "ops.logging.formatters.TextLines", "secrets": _secrets},
        "json": {"()": "ops.logging.formatters.JsonLines", "secrets": _secrets},
    },
    "filters": {"fields": {"()": "ops.logging.formatters.WithFields"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["fields"],
        }
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        # Its lines show paths with their queries.
        "uvicorn": {"level": "WARNING"},
        # One for each request that it serves.
        "mcp": {"level": "WARNING"},
        "daphne.http_protocol": {"level": "WARNING"},
        "django.channels.server": {"level": "WARNING"},
        # 4xx are in the line of each request; these would show its path.
        "django.request": {"level": "ERROR"},
        # Anybody may send a foreign Host; the line of the request tells of the 400.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "httpx": {"level": "WARNING"},
        # A line for each time that a connection is taken.
        "psycopg.pool": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
    },
}
