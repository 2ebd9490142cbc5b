"""Settings. Deployment values come from the environment; a bad one stops the start and says why."""

import os
import warnings
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from ops.devserver.runtime import load_runtime_environment
from ops.tracing.packages import why_no_traces
from ops.tracing.variables import check_variables
from orchestrator.deployment_checks import is_production, why_not_start
from orchestrator.environment import Environment
from orchestrator.secret_files import secrets_in, with_secrets
from orchestrator.url_validation import is_answered_host, is_origin
from ui.web.theme import UNFOLD  # noqa: F401

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"

env = Environment()
try:
    if (BASE_DIR / ".env").is_file():
        Environment.read_env(BASE_DIR / ".env", overwrite=False)
except (OSError, UnicodeDecodeError) as error:
    raise ImproperlyConfigured(f"The file .env cannot be read: {error}.") from None
load_runtime_environment()
try:
    env.ENVIRON = with_secrets(os.environ)
except ValueError as error:
    raise ImproperlyConfigured(str(error)) from None

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.text("SECRET_KEY", default="")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. `make run` makes one; elsewhere set a long random value, e.g. "
        "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'."
    )
ALLOWED_HOSTS = env.names(
    "ALLOWED_HOSTS",
    default=["localhost", "127.0.0.1", "[::1]"],
    is_name=is_answered_host,
    remedy="Use names of hosts without scheme and port, separated by commas.",
)
CSRF_TRUSTED_ORIGINS = env.names(
    "CSRF_TRUSTED_ORIGINS",
    default=[],
    is_name=is_origin,
    remedy="Use https://host without a path, separated by commas.",
)

# A proxy of ours speaks TLS to the world and sets X-Forwarded-Proto itself.
BEHIND_TLS_PROXY = env.bool("BEHIND_TLS_PROXY", default=False)
PRODUCTION = is_production(hosts=ALLOWED_HOSTS, behind_proxy=BEHIND_TLS_PROXY)
if PRODUCTION and (reason := why_not_start(debug=DEBUG, secret_key=SECRET_KEY)):
    raise ImproperlyConfigured(f"Not started, for this is production: {reason}")

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "django_celery_results",
    "core",
    "audit",
    "projects",
    "context",
    "agents",
    "hitl",
    "orchestrator",
    "ops",
    "ui.web",
    "ui.terminal",
]

MIDDLEWARE = [
    "audit.middleware.OriginMiddleware",
    "ops.metrics.middleware.MetricsMiddleware",
    "orchestrator.throttle.ThrottleMiddleware",
    "orchestrator.middleware.DatabaseAwayMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "ui.web.content_policy.ContentPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "orchestrator.middleware.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "orchestrator.urls"
ASGI_APPLICATION = "orchestrator.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
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

DATABASES = {"default": env.postgresql_url("DATABASE_URL")}
DATABASES["default"]["CONN_MAX_AGE"] = 600
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"].setdefault("OPTIONS", {})["connect_timeout"] = 3
if env.bool("DATABASE_POOL", default=False):
    # The web server answers each request in a thread of its own: a connection that is kept by
    # its thread would be opened anew for every request.
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    # It pauses twice as long after each try in vain; after an outage of minutes it would wait for
    # minutes more. A try that is given up makes room for a new one at once.
    pool = {"min_size": 2, "max_size": 20, "timeout": 5, "reconnect_timeout": 2}
    DATABASES["default"]["OPTIONS"]["pool"] = pool
# PostgreSQL plans a statement once a connection, which halves its work. Turn it off behind a pooler
# in transaction mode that does not keep prepared statements apart.
if env.bool("DATABASE_PREPARE", default=True):
    DATABASES["default"]["OPTIONS"] |= {"server_side_binding": True, "prepare_threshold": 2}

REDIS_URL = env.redis_url("REDIS_URL")

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
# Tries to log in, in five minutes: for a name from an address; ten times as many for an address.
LOGIN_TRIES = env.int("LOGIN_TRIES", default=10)
# Requests to one server process. 0: as many as they like.
THROTTLE_USER_PER_MINUTE = env.int("THROTTLE_USER_PER_MINUTE", default=6000)
THROTTLE_ADDRESS_PER_MINUTE = env.int("THROTTLE_ADDRESS_PER_MINUTE", default=12_000)
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = True
# Before `collectstatic` the finders serve; that needs no warning at every start.
warnings.filterwarnings("ignore", message="No directory at", category=UserWarning)

# A brief has up to 100,000 characters, of up to 4 bytes each, escaped as JSON.
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS_PROXY
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS_PROXY else None
SECURE_HSTS_SECONDS = 30 * 24 * 3600 if BEHIND_TLS_PROXY else 0
SECURE_SSL_REDIRECT = BEHIND_TLS_PROXY
# Asked from inside, without TLS.
SECURE_REDIRECT_EXEMPT = [r"^health", r"^metrics"]
# Whether names below ours, and lists in browsers, are bound to TLS too is for who owns the domain.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [{"address": REDIS_URL, "socket_connect_timeout": 1}],
            "prefix": env.text("CHANNEL_PREFIX", default="paraph"),
        },
    }
}

CELERY_BROKER_URL = REDIS_URL
CELERY_RESULT_BACKEND = "django-db"
CELERY_TASK_IGNORE_RESULT = True
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
    # A ring that cannot be sent is lost at once; the sweep rings again.
    "max_retries": 0,
    "global_keyprefix": env.text("QUEUE_PREFIX", default=""),
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_DEFAULT_QUEUE = "engine"
CELERY_TASK_ROUTES = {"agents.tasks.*": {"queue": "agents"}}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "sweep": {
        "task": "orchestrator.tasks.sweep",
        "schedule": 1.0,
    },
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
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
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v[0-9]",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "ActionEnum": "hitl.enums.Action",
        "AgentStateEnum": "agents.enums.AgentState",
        "AgentTypeEnum": "projects.enums.AgentType",
        "ArtifactVersionStatusEnum": "context.enums.VersionStatus",
        "ChangeEnum": "context.enums.Change",
        "ConceptKindEnum": "context.enums.ConceptKind",
        "DerivationKindEnum": "context.enums.DerivationKind",
        "ProjectStatusEnum": "projects.enums.ProjectStatus",
        "RequestKindEnum": "hitl.enums.RequestKind",
        "RoleEnum": "projects.enums.Role",
        "RequestStatusEnum": "hitl.enums.RequestStatus",
        "SectionKindEnum": "context.enums.SectionKind",
        "TaskStatusEnum": "agents.enums.TaskStatus",
    },
}

# Who may see and do what in a project; the audit app asks through this seam.
AUDIT_ACCESS_POLICY = "projects.access.ProjectAccess"
# What waits behind a request; the inbox asks through this seam.
HITL_OUTLOOK = "orchestrator.engine.blocked_steps.blocked_steps"
HITL_PROGRESS = "orchestrator.engine.progress.progress_of"
# What waits for a person; the stream asks through this seam.
STREAM_INBOX = "hitl.inbox.inbox_items"

AGENT_TYPES = ("orchestrator", "analyst", "architect", "coder", "tester", "deployer")
MODEL_DEFAULT = env.text("MODEL_DEFAULT", default="offline")
AGENT_MODELS = {
    agent: env.text(f"MODEL_{agent.upper()}", default=MODEL_DEFAULT) for agent in AGENT_TYPES
}
MODEL_PROVIDERS = {"offline": "agents.providers.offline.OfflineModel"}
MODEL_MAX_TOKENS = env.int("MODEL_MAX_TOKENS", default=16_000, at_least=1)
# Tokens of a whole prompt, by our estimate: for all models, and where one is named for it.
CONTEXT_BUDGET = env.int("CONTEXT_BUDGET", default=100_000, at_least=1)
CONTEXT_BUDGETS = {"offline": 5_000_000} | env.numbers_by_name(
    "CONTEXT_BUDGETS", default="", example="openai:gpt-x=200000,anthropic=150000"
)
MODEL_TIMEOUT_SECONDS = env.int("MODEL_TIMEOUT_SECONDS", default=300, at_least=1)
OPENAI_API_KEY = env.text("OPENAI_API_KEY", default="")
OPENAI_BASE_URL = env.web_url("OPENAI_BASE_URL", default="")
# Search by meaning. The app, and its table, are there only where it is on.
SEMANTIC_SEARCH = env.bool("SEMANTIC_SEARCH", default=False)
EMBEDDING_MODEL = env.model("EMBEDDING_MODEL", default="")
EMBEDDING_API_KEY = env.text("EMBEDDING_API_KEY", default="")
EMBEDDING_BASE_URL = env.web_url("EMBEDDING_BASE_URL", default="")
if SEMANTIC_SEARCH:
    INSTALLED_APPS.insert(INSTALLED_APPS.index("agents"), "semantic")
    CELERY_BEAT_SCHEDULE["embed"] = {
        "task": "semantic.tasks.embed_new_texts",
        "schedule": 15.0,
        "options": {"queue": "agents"},
    }
SANDBOX_ALLOW_NETWORK = env.bool("SANDBOX_ALLOW_NETWORK", default=False)
SANDBOX_ALLOW_FILES = env.bool("SANDBOX_ALLOW_FILES", default=False)

# How a project decides that has no policy of its own. Seconds; 0: never.
HITL_POLICY = {
    "prevent_self_approval": env.bool("HITL_PREVENT_SELF_APPROVAL", default=True),
    "answers_count_as_content": env.bool("HITL_ANSWERS_COUNT_AS_CONTENT", default=False),
    "required_approvals": env.int("HITL_REQUIRED_APPROVALS", default=1, at_least=1, at_most=50),
    "roles_by_kind": {},
    "roles_by_phase": {},
    "remind_after": env.int("HITL_REMIND_AFTER", default=0) or None,
    "due_after": env.int("HITL_DUE_AFTER", default=0) or None,
    "expire_after": env.int("HITL_EXPIRE_AFTER", default=0) or None,
    "on_timeout": env.word("HITL_ON_TIMEOUT", default="hold", known=("hold", "reject", "escalate")),
}
_times = [HITL_POLICY[f"{name}_after"] or 0 for name in ("remind", "due", "expire")]
if (_given := [one for one in _times if one]) != sorted(_given):
    raise ImproperlyConfigured(
        "HITL_REMIND_AFTER, HITL_DUE_AFTER and HITL_EXPIRE_AFTER are seconds, in this order."
    )
# A person who claims a request has it for themselves for so long.
HITL_CLAIM_SECONDS = env.int("HITL_CLAIM_SECONDS", default=14_400, at_least=1)

# Seconds. A worker that does not renew its lease in time has lost the task.
TASK_LEASE_SECONDS = 30
TASK_HEARTBEAT_SECONDS = 10
TASK_RETRY_DELAYS_SECONDS = (1, 2, 4)
TASK_MAX_CRASHES = 3
# How often a worker looks for an emergency stop that no hint told it of.
STOP_POLL_SECONDS = 1
# A due task or project nobody picked up is rung for again after this long; sooner where no job
# waits in the queue, for then the ring was lost.
RING_AGAIN_SECONDS = 10

# Where the processes of one machine count side by side. The library reads its own variable when it
# is first imported.
METRICS_DIR = env.folder("METRICS_DIR", default="")
if METRICS_DIR:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = METRICS_DIR
METRICS_TOKEN = env.text("METRICS_TOKEN", default="")
METRICS_LISTEN = env.listener("METRICS_LISTEN", default="")

# Where they go, and how many, is said by the OTEL_... variables, which the library reads itself.
TRACES = env.bool("TRACES", default=False)
if TRACES:
    if reason := why_no_traces():
        raise ImproperlyConfigured(reason)
    check_variables(env)
    MIDDLEWARE = ["ops.tracing.middleware.TracesMiddleware", *MIDDLEWARE]

LOG_LEVEL = env.word(
    "LOG_LEVEL", default="INFO", known=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
)
LOG_FORMAT = env.word("LOG_FORMAT", default="text", known=("text", "json"))
_redis_password = urlsplit(REDIS_URL).password or ""
_secrets = secrets_in(
    {**env.ENVIRON}, SECRET_KEY, DATABASES["default"]["PASSWORD"], _redis_password
)
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
        "daphne.http_protocol": {"level": "WARNING"},
        "django.channels.server": {"level": "WARNING"},
        # 4xx are in the line of each request; these would show its path.
        "django.request": {"level": "ERROR"},
        # Anybody may send a foreign Host; the line of the request tells of the 400.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "httpx": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
    },
}
