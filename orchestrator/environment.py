"""The variables of the environment that the server reads, with their types and defaults.

An empty variable counts as not set. One that cannot be read stops the start and says what to do:
otherwise a slip such as `HITL_PREVENT_SELF_APPROVAL=ture` would open what was closed.
"""

import os
import re
from collections import ChainMap
from collections.abc import Mapping
from decimal import Decimal
from email.utils import parseaddr
from importlib.metadata import entry_points
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import unquote, urlsplit

import psycopg
from django.core.exceptions import ImproperlyConfigured
from dotenv import dotenv_values
from psycopg.conninfo import conninfo_to_dict
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from agents.enums import RequestKind
from agents.providers.endpoints import KINDS, OUTPUTS, Endpoint
from agents.providers.options import REASONING, ModelOptions
from agents.providers.prices import Price, parse_price
from hitl.enums import OnTimeout
from projects.enums import OversightLevel

# `NAME_FILE` may name a file that holds the secret, and no error message shows their values.
SECRETS = (
    "SECRET_KEY",
    "DATABASE_URL",
    "MIGRATION_DATABASE_URL",
    "REDIS_URL",
    "EMAIL_URL",
    "SLACK_BOT_TOKEN",
    "SLACK_SIGNING_SECRET",
    "SLACK_APP_TOKEN",
    "APPRISE_URLS",
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GOOGLE_API_KEY",
    "EMBEDDING_API_KEY",
    "METRICS_TOKEN",
    "OIDC_CLIENT_SECRET",
    "LANGFUSE_SECRET_KEY",
    "PHOENIX_API_KEY",
)
SECRET_NAMES = re.compile(r"(_API_KEY|_TOKEN|_PASSWORD|_SECRET|SECRET_KEY)$")
# By the name of a variable that must be set, or by pydantic's name of an error.
REMEDIES = {
    "SECRET_KEY": (
        "`make run` makes one; elsewhere set a long random value, e.g. "
        "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'."
    ),
    "DATABASE_URL": "Use postgresql://user:password@host:port/name.",
    "REDIS_URL": "Use redis://:password@host:port/0, or rediss:// for TLS.",
    "EMAIL_URL": (
        "Use smtp+tls://user:password@host:587 (STARTTLS), smtps://user:password@host:465, or "
        "smtp://host:25 in the clear. Write @ and / within a password as %40 and %2F."
    ),
    "bool_parsing": "Use true or false.",
    "int_parsing": "Use a whole number.",
    "float_parsing": "Use a number.",
}
HOST = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])"
MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
TRACING_PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def is_url(text: str, *schemes: str) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme in schemes and bool(url.hostname) and (url.port or 0) >= 0
    except ValueError:
        return False


def check_web_url(text: str) -> str:
    if text and not is_url(text, "http", "https"):
        raise ValueError("Use http://host or https://host, with a port and path or not.")
    return text


def check_redis_url(text: str) -> str:
    is_redis = is_url(text, "redis", "rediss")
    if not is_redis or not (urlsplit(text).path.strip("/") or "0").isdecimal():
        raise ValueError(REMEDIES["REDIS_URL"])
    return text


def database_settings(url: str) -> dict[str, Any]:
    """The URL as an entry of Django's DATABASES, read by PostgreSQL's own library."""
    try:
        options = conninfo_to_dict(re.sub("^(psql|pgsql)://", "postgresql://", url))
    except psycopg.ProgrammingError:
        options = {}
    keys = {
        "dbname": "NAME",
        "user": "USER",
        "password": "PASSWORD",
        "host": "HOST",
        "port": "PORT",
    }
    database = {key: options.pop(option, "") for option, key in keys.items()}
    if not database["NAME"] or "://" not in url or not re.fullmatch("[0-9,]*", database["PORT"]):
        raise ValueError(REMEDIES["DATABASE_URL"])
    return {"ENGINE": "core.postgresql", **database, "OPTIONS": options}


def check_database_url(text: str) -> str:
    if text:
        database_settings(text)
    return text


def mail_settings(url: str) -> dict[str, Any]:
    """The URL as Django's settings of a mail server."""
    if not is_url(url, *MAIL_PORTS):
        raise ValueError(REMEDIES["EMAIL_URL"])
    parts = urlsplit(url)
    return {
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or MAIL_PORTS[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
        "EMAIL_USE_SSL": parts.scheme == "smtps",
    }


def check_mail_url(text: str) -> str:
    if text:
        mail_settings(text)
    return text


def check_sender(text: str) -> str:
    """`Name <address>`, or the address alone."""
    if "@" not in parseaddr(text)[1] or not text.isprintable():
        raise ValueError("Use paraph@example.org, or Paraph <paraph@example.org>.")
    return text


def check_listener(text: str) -> str:
    """No host is any of this machine's."""
    match = re.fullmatch(rf"(?:{HOST})?:([0-9]{{1,5}})", text)
    if text and not (match and int(match[1]) <= 65535):
        raise ValueError("Use host:port, such as 0.0.0.0:9808.")
    return text


def check_model(text: str) -> str:
    provider, _, model = text.partition(":")
    if text and not (provider and model):
        raise ValueError("Use provider:model, such as openai:text-embedding-3-small.")
    return text


def check_sampler(text: str) -> str:
    samplers = sorted({point.name for point in entry_points(group="opentelemetry_traces_sampler")})
    if text not in samplers:
        raise ValueError(f"Use one of: {', '.join(samplers)}.")
    return text


def make_folder(text: str) -> str:
    try:
        if text:
            Path(text).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"The folder cannot be made: {error.strerror}. Use another.") from None
    return text


def split_list(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return [item.strip() for item in value.split(",") if item.strip()]


def split_words(value: Any) -> Any:
    """Separated by blanks: what stands between may hold commas."""
    return value.split() if isinstance(value, str) else value


def items_matching(pattern: str, remedy: str) -> AfterValidator:
    def check(items: list[str]) -> list[str]:
        if not all(re.fullmatch(pattern, item) for item in items):
            raise ValueError(remedy)
        return items

    return AfterValidator(check)


def split_budgets(value: Any) -> Any:
    """`name=number`, separated by commas."""
    if not isinstance(value, str):
        return value
    budgets = {}
    for entry in split_list(value):
        name, _, number = (part.strip() for part in entry.rpartition("="))
        if not re.fullmatch("[^=]+", name) or not re.fullmatch("[1-9][0-9]{0,8}", number):
            raise ValueError("Use a list such as openai:gpt-x=200000,anthropic=150000.")
        budgets[name] = int(number)
    return budgets


def read_price(value: Any) -> Any:
    try:
        return parse_price(value) if isinstance(value, str) else value
    except (ValueError, ArithmeticError):
        raise ValueError("Use input/output for a million tokens, such as 2.50/10.") from None


def split_prices(value: Any) -> Any:
    """`provider:model=input/output`, or `provider=...`, separated by commas."""
    if not isinstance(value, str):
        return value
    prices = {}
    for entry in split_list(value):
        name, _, price = (part.strip() for part in entry.rpartition("="))
        try:
            prices[name] = parse_price(price)
        except (ValueError, ArithmeticError):
            name = ""
        if not name or "=" in name:
            example = "openai-chat:x=2.50/10,local=0/0"
            raise ValueError(f"Use a list such as {example}, for a million tokens.")
    return prices


def split_headers(value: Any) -> Any:
    """`Name: value`, separated by semicolons."""
    if not isinstance(value, str):
        return value
    headers = {}
    for entry in filter(None, (part.strip() for part in value.split(";"))):
        name, colon, text = (part.strip() for part in entry.partition(":"))
        if not colon or not re.fullmatch("[A-Za-z0-9-]+", name) or not text.isprintable():
            raise ValueError("Use Name: value, separated by semicolons.")
        headers[name] = text
    return headers


def split_model_limits(value: Any) -> Any:
    """One number for each model, or `provider:model=number`, separated by commas."""
    if not isinstance(value, str):
        return value
    limits = {}
    for entry in split_list(value):
        name, equals, number = (part.strip() for part in entry.rpartition("="))
        is_number = re.fullmatch("[0-9]{1,9}", number)
        if bool(name) != bool(equals) or "=" in name or not is_number:
            raise ValueError("Use a number, or a list such as openai-chat:x=20,anthropic:y=5.")
        limits[name] = int(number)
    return limits


def split_approvals(value: Any) -> Any:
    """`kind=number`, separated by commas. A question is answered by one person, so not for it."""
    if not isinstance(value, str):
        return value
    kinds = set(RequestKind.values) - {RequestKind.CLARIFICATION}
    least = {}
    for entry in split_list(value):
        kind, _, number = (part.strip() for part in entry.partition("="))
        if kind not in kinds or not number.isdecimal() or not 1 <= int(number[:3]) <= 50:
            names = ", ".join(sorted(kinds))
            raise ValueError(f"Use a list such as plan_approval=2, of {names}, with 1 to 50.")
        least[kind] = int(number)
    return least


def check_log_keys(texts: list[str]) -> list[str]:
    from audit.notes import BadNote, Verifier

    try:
        return [str(Verifier.parse(text)) for text in texts]
    except BadNote:
        remedy = "Use NAME+ID+KEY as in log.vkey of each installation, separated by commas."
        raise ValueError(remedy) from None


def split_networks(value: Any) -> Any:
    """Networks in CIDR notation, or single addresses, separated by commas."""
    if not isinstance(value, str):
        return value
    try:
        return [ip_network(entry) for entry in split_list(value)]
    except ValueError:
        raise ValueError("Use networks such as 10.0.0.0/8,fd00::/8, without spare bits.") from None


def split_group_names(value: Any) -> Any:
    """`theirs=ours`, separated by commas."""
    if not isinstance(value, str):
        return value
    names = {}
    for entry in split_list(value):
        theirs, _, ours = (part.strip() for part in entry.rpartition("="))
        if not theirs or not ours or len(ours) > 150:
            raise ValueError("Use a list such as idp-approvers=Approvers,idp-guests=Guests.")
        names[theirs] = ours
    return names


# Up to what columns and intervals of time can hold.
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
PositiveCount = Annotated[int, Field(ge=1, le=2**31 - 1)]
WebUrl = Annotated[str, AfterValidator(check_web_url)]
# A leading dot or star stands for all names below one.
Hosts = Annotated[
    list[str],
    BeforeValidator(split_list),
    items_matching(
        rf"\*|\.?{HOST}", "Use names of hosts without scheme and port, separated by commas."
    ),
]
Origins = Annotated[
    list[str],
    BeforeValidator(split_list),
    items_matching(
        rf"https?://(\*\.)?{HOST}(:[0-9]+)?",
        "Use https://host without a path, separated by commas.",
    ),
]
Folders = Annotated[list[str], BeforeValidator(split_list)]
# By model; "" stands for each that has no limit of its own.
ModelLimits = Annotated[dict[str, int], BeforeValidator(split_model_limits)]
ModelPrice = Annotated[Price, BeforeValidator(read_price)]
ModelPrices = Annotated[dict[str, Price], BeforeValidator(split_prices)]
Money = Annotated[Decimal, Field(ge=0, le=10**9, max_digits=18, decimal_places=6)]
Temperature = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]
Reasoning = Literal["", *REASONING]
Fallbacks = Annotated[
    list[str],
    BeforeValidator(split_list),
    items_matching(
        r"[^:;\s]+:[^;\s]+", "Use provider:model, separated by commas, the first one first."
    ),
]
Approvals = Annotated[dict[str, int], BeforeValidator(split_approvals)]
Networks = Annotated[list[IPv4Network | IPv6Network], BeforeValidator(split_networks)]
# Of groups: as the identity provider calls them, and as they are called here.
GroupNames = Annotated[dict[str, str], BeforeValidator(split_group_names)]
Budgets = Annotated[dict[str, int], BeforeValidator(split_budgets)]


class Variables(BaseSettings):
    model_config = SettingsConfigDict(case_sensitive=True, extra="ignore", enable_decoding=False)

    @model_validator(mode="before")
    @classmethod
    def drop_empty(cls, values: dict[str, Any]) -> dict[str, Any]:
        """An empty variable, as compose files pass it on, leaves the default."""
        stripped = {name: v.strip() if isinstance(v, str) else v for name, v in values.items()}
        return {name: value for name, value in stripped.items() if value != ""}


class Environment(Variables):
    """In `.env.example` each has a line that explains it."""

    SECRET_KEY: str
    DATABASE_URL: Annotated[str, AfterValidator(check_database_url)]
    MIGRATION_DATABASE_URL: Annotated[str, AfterValidator(check_database_url)] = ""
    DATABASE_PREPARE: bool = True
    DATABASE_POOL: bool = False
    REDIS_URL: Annotated[str, AfterValidator(check_redis_url)]
    DEBUG: bool = False
    ALLOWED_HOSTS: Hosts = ["localhost", "127.0.0.1", "[::1]"]
    CSRF_TRUSTED_ORIGINS: Origins = []
    BEHIND_TLS_PROXY: bool = False
    LOGIN_TRIES: Count = 10
    OIDC_SERVER_URL: WebUrl = ""
    OIDC_CLIENT_ID: str = ""
    OIDC_CLIENT_SECRET: str = ""
    OIDC_NAME: str = "single sign-on"
    OIDC_GROUPS_CLAIM: str = "groups"
    OIDC_GROUPS: GroupNames = {}
    INVITATION_DAYS: Annotated[int, Field(ge=1, le=90)] = 7
    INVITATIONS_MAKE_ACCOUNTS: bool = True
    TOKEN_DAYS: Annotated[int, Field(ge=1, le=366)] = 30
    THROTTLE_USER_PER_MINUTE: Count = 6000
    THROTTLE_ADDRESS_PER_MINUTE: Count = 12_000
    PROJECTS_PER_USER: Count = 10_000
    RUNNING_PROJECTS_PER_USER: Count = 1_000
    OPEN_TASKS_PER_USER: Count = 1_000
    LOG_LEVEL: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(str.upper)
    ] = "INFO"
    LOG_FORMAT: Annotated[Literal["text", "json"], BeforeValidator(str.lower)] = "text"
    TRACES: bool = False
    METRICS_DIR: Annotated[str, AfterValidator(make_folder)] = ""
    METRICS_TOKEN: str = ""
    METRICS_LISTEN: Annotated[str, AfterValidator(check_listener)] = ""
    HEARTBEAT_FILE: str = ""
    DISK_FOLDERS: Folders = []
    DISK_FLOOR_MB: Count = 100
    CHANNEL_PREFIX: str = "paraph"
    QUEUE_PREFIX: str = ""
    JOB_RESULT_DAYS: Annotated[int, Field(ge=1, le=3650)] = 14
    HITL_PREVENT_SELF_APPROVAL: bool = True
    HITL_ANSWERS_COUNT_AS_CONTENT: bool = False
    HITL_REQUIRED_APPROVALS: Annotated[int, Field(ge=1, le=50)] = 1
    HITL_REMIND_AFTER: Count = 0
    HITL_DUE_AFTER: Count = 0
    HITL_EXPIRE_AFTER: Count = 0
    HITL_ON_TIMEOUT: Annotated[OnTimeout, BeforeValidator(str.lower)] = OnTimeout.HOLD
    HITL_CLAIM_SECONDS: PositiveCount = 14_400
    HITL_REAUTHENTICATE: Annotated[list[RequestKind], BeforeValidator(split_list)] = []
    HITL_ASK_BEFORE_TOOLS: Annotated[list[str], BeforeValidator(split_list)] = []
    REAUTHENTICATION_SECONDS: PositiveCount = 300
    FLOOR_OVERSIGHT_LEVEL: Annotated[OversightLevel, BeforeValidator(str.lower)] = (
        OversightLevel.LOW
    )
    FLOOR_REQUIRED_APPROVALS: Approvals = {}
    FLOOR_PREVENT_SELF_APPROVAL: bool = False
    ACTION_APPROVED_SECONDS: PositiveCount = 86_400
    ACTION_LEASE_SECONDS: PositiveCount = 60
    GRANT_KEY_FILE: str = ""
    GRANT_ISSUER: str = "paraph"
    MODEL_DEFAULT: str = "demo"
    MODEL_MAX_TOKENS: PositiveCount = 16_000
    CONTEXT_BUDGET: PositiveCount = 100_000
    CONTEXT_BUDGETS: Budgets = {}
    MODEL_TIMEOUT_SECONDS: PositiveCount = 300
    MODEL_STREAMING: bool = True
    AGENT_MAX_TURNS: PositiveCount = 40
    AGENT_MAX_TOKENS: PositiveCount = 2_000_000
    AGENT_MAX_SECONDS: PositiveCount = 3_600
    WORKSPACE_MAX_BYTES: PositiveCount = 2_000_000
    OPENAI_API_KEY: str = ""
    OPENAI_BASE_URL: WebUrl = ""
    ANTHROPIC_API_KEY: str = ""
    GOOGLE_API_KEY: str = ""
    OLLAMA_BASE_URL: WebUrl = "http://127.0.0.1:11434/v1"
    MODEL_ENDPOINTS: Annotated[
        list[str],
        BeforeValidator(split_list),
        items_matching("[a-z][a-z0-9-]{0,29}", "Use names of small letters, digits and hyphens."),
    ] = []
    MODEL_ENDPOINT_HOSTS: Hosts = []
    MODEL_TEMPERATURE: Temperature | None = None
    MODEL_SEED: Count | None = None
    MODEL_REASONING: Annotated[Reasoning, BeforeValidator(str.lower)] = ""
    MODEL_FALLBACKS: Fallbacks = []
    AGENT_CONCURRENCY: PositiveCount = 32
    MODEL_CONCURRENCY: ModelLimits = {}
    MODEL_TRANSCRIPTS: Annotated[
        Literal["keep", "on_failure", "never"], BeforeValidator(str.lower)
    ] = "keep"
    MODEL_TRANSCRIPT_DAYS: Annotated[int, Field(ge=1, le=3650)] = 30
    MODEL_PRICES: ModelPrices = {}
    MODEL_PRICE_UNKNOWN: ModelPrice = parse_price("10/50")
    BUDGET: Money | None = None
    BUDGET_DAY: Money | None = None
    SANDBOX_CONCURRENCY: Count = 0
    SEMANTIC_SEARCH: bool = False
    EMBEDDING_MODEL: Annotated[str, AfterValidator(check_model)] = ""
    EMBEDDING_API_KEY: str = ""
    EMBEDDING_BASE_URL: WebUrl = ""
    SANDBOX_ALLOW_NETWORK: bool = False
    SANDBOX_ALLOW_FILES: bool = False
    PUBLIC_URL: WebUrl = ""
    EMAIL_URL: Annotated[str, AfterValidator(check_mail_url)] = ""
    EMAIL_FROM: Annotated[str, AfterValidator(check_sender)] = "Paraph <paraph@localhost>"
    SLACK_BOT_TOKEN: str = ""
    SLACK_SIGNING_SECRET: str = ""
    SLACK_APP_TOKEN: str = ""
    SLACK_API_URL: WebUrl = "https://slack.com/api/"
    APPRISE_URLS: Annotated[list[str], BeforeValidator(split_words)] = []
    APPRISE_KINDS: Annotated[list[str], BeforeValidator(split_list)] = []
    WEBHOOK_ALLOWED_NETWORKS: Networks = []
    PUSH_KEY_FILE: str = ""
    LANGFUSE_BASE_URL: WebUrl = ""
    LANGFUSE_PUBLIC_KEY: str = ""
    LANGFUSE_SECRET_KEY: str = ""
    PHOENIX_BASE_URL: WebUrl = ""
    PHOENIX_API_KEY: str = ""
    CHECKPOINT_DIR: str = ""
    CHECKPOINT_KEY_FILE: str = ""
    CHECKPOINT_WITNESS_URL: WebUrl = ""
    CHECKPOINT_TSA_URL: WebUrl = ""
    CHECKPOINT_TSA_ROOTS: str = ""
    TRUSTED_LOG_KEYS: Annotated[
        list[str], BeforeValidator(split_list), AfterValidator(check_log_keys)
    ] = []
    ARCHIVE_DIR: str = ""

    @model_validator(mode="after")
    def check_database_of_the_owner(self) -> "Environment":
        if owner_url := self.MIGRATION_DATABASE_URL:
            application, owner = database_settings(self.DATABASE_URL), database_settings(owner_url)
            if application["NAME"] != owner["NAME"]:
                names = f"{owner['NAME']}, and DATABASE_URL {application['NAME']}"
                raise ValueError(
                    f"MIGRATION_DATABASE_URL names the database {names}. Name one database in "
                    "both, with another user."
                )
        return self

    @model_validator(mode="after")
    def check_single_sign_on(self) -> "Environment":
        if self.OIDC_SERVER_URL and not (self.OIDC_CLIENT_ID and self.OIDC_CLIENT_SECRET):
            raise ValueError("OIDC_SERVER_URL needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET, too.")
        return self

    @model_validator(mode="after")
    def check_receivers_of_scores(self) -> "Environment":
        if self.LANGFUSE_BASE_URL and not (self.LANGFUSE_PUBLIC_KEY and self.LANGFUSE_SECRET_KEY):
            needed = "LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY"
            raise ValueError(f"LANGFUSE_BASE_URL needs {needed}, too.")
        if (self.LANGFUSE_BASE_URL or self.PHOENIX_BASE_URL) and not self.TRACES:
            raise ValueError(
                "LANGFUSE_BASE_URL and PHOENIX_BASE_URL need TRACES=true: a score belongs to a "
                "trace."
            )
        return self

    @model_validator(mode="after")
    def check_order_of_times(self) -> "Environment":
        times = (self.HITL_REMIND_AFTER, self.HITL_DUE_AFTER, self.HITL_EXPIRE_AFTER)
        if (set_times := [seconds for seconds in times if seconds]) != sorted(set_times):
            names = "HITL_REMIND_AFTER, HITL_DUE_AFTER and HITL_EXPIRE_AFTER"
            raise ValueError(f"{names} are seconds, and must not become smaller in this order.")
        return self


class PrefixedVariables(BaseModel):
    """Their names begin with that of an endpoint or an agent. An empty one leaves the default."""

    @model_validator(mode="before")
    @classmethod
    def drop_empty(cls, values: dict[str, Any]) -> dict[str, Any]:
        stripped = {name: v.strip() if isinstance(v, str) else v for name, v in values.items()}
        return {name: value for name, value in stripped.items() if value != ""}


class EndpointVariables(PrefixedVariables):
    """Of one endpoint, with its own prefix: ENDPOINT_NAME itself is `speaks`."""

    speaks: Annotated[Literal[KINDS], BeforeValidator(str.lower)]
    URL: WebUrl = ""
    API_KEY: str = ""
    API_KEY_FILE: str = ""
    HEADERS: Annotated[dict[str, str], BeforeValidator(split_headers)] = {}
    OUTPUT: Annotated[Literal[OUTPUTS], BeforeValidator(str.lower)] = OUTPUTS[0]


class OptionVariables(PrefixedVariables):
    """Of one agent, with its own prefix: MODEL_CODER_TEMPERATURE, say."""

    MAX_TOKENS: PositiveCount | None = None
    TEMPERATURE: Temperature | None = None
    SEED: Count | None = None
    REASONING: Annotated[Reasoning, BeforeValidator(str.lower)] = ""
    FALLBACKS: Fallbacks = []


class TracingEnvironment(Variables):
    """OpenTelemetry reads these itself, and takes its default where it cannot. Ours must not."""

    OTEL_EXPORTER_OTLP_ENDPOINT: WebUrl = ""
    OTEL_TRACES_SAMPLER: Annotated[str, AfterValidator(check_sampler)] = "parentbased_always_on"
    OTEL_TRACES_SAMPLER_ARG: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0

    @model_validator(mode="before")
    @classmethod
    def check_packages(cls, values: dict[str, Any]) -> dict[str, Any]:
        if missing := [name for name in TRACING_PACKAGES if not is_installed(name)]:
            raise ValueError(
                f"TRACES is on, but {' and '.join(missing)} cannot be imported. Install them with "
                "`pip install -r requirements-otel.txt` (docker compose: build the image again), "
                "or set TRACES=false."
            )
        return values


def is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


V = TypeVar("V", bound=Variables)
P = TypeVar("P", bound=PrefixedVariables)


def read_variables(kind: type[V]) -> V:
    """Raises ImproperlyConfigured with a line for each variable that cannot be read."""
    try:
        return kind(**secrets_from_files(os.environ))
    except ValidationError as error:
        lines = [explain(problem) for problem in error.errors()]
        raise ImproperlyConfigured("\n".join(lines)) from None


def read_prefixed(kind: type[P], prefix: str, **named: str) -> P:
    """The variables that begin so. Raises ImproperlyConfigured with a line for each at fault."""
    own = {
        name: os.environ[f"{prefix}_{name}"]
        for name in kind.model_fields
        if f"{prefix}_{name}" in os.environ
    }
    try:
        return kind(**own, **named)
    except ValidationError as error:
        lines = [explain(problem, prefix) for problem in error.errors(include_input=False)]
        raise ImproperlyConfigured("\n".join(lines)) from None


def read_endpoints(names: list[str]) -> dict[str, Endpoint]:
    endpoints = {}
    for name in names:
        prefix = f"ENDPOINT_{name.upper().replace('-', '_')}"
        if name in (*KINDS, "demo", "external"):
            taken = f"{name!r} is taken. Use a name of your own."
            raise ImproperlyConfigured(f"MODEL_ENDPOINTS is {','.join(names)!r}. {taken}")
        speaks = os.environ.get(prefix, "").strip()
        if not speaks:
            kinds = ", ".join(KINDS)
            raise ImproperlyConfigured(f"{prefix} is not set. It says what {name} speaks: {kinds}.")
        values = read_prefixed(EndpointVariables, prefix, speaks=speaks)
        key = values.API_KEY
        if values.API_KEY_FILE:
            key = secret_from_file(f"{prefix}_API_KEY", values.API_KEY_FILE)
        endpoints[name] = Endpoint(
            name, values.speaks, values.URL, key, values.HEADERS, values.OUTPUT
        )
    return endpoints


def read_options(env: Environment, agents: list[str]) -> dict[str, ModelOptions]:
    """By agent; "" is for each that has none of its own."""
    common = ModelOptions(
        None,
        env.MODEL_TEMPERATURE,
        env.MODEL_SEED,
        env.MODEL_REASONING,
        tuple(env.MODEL_FALLBACKS),
    )
    options = {"": common}
    for agent in agents:
        own = read_prefixed(OptionVariables, f"MODEL_{agent.upper()}")
        options[agent] = ModelOptions(
            own.MAX_TOKENS,
            common.temperature if own.TEMPERATURE is None else own.TEMPERATURE,
            common.seed if own.SEED is None else own.SEED,
            own.REASONING or common.reasoning,
            tuple(own.FALLBACKS) or common.fallbacks,
        )
    return options


def explain(problem: ErrorDetails, prefix: str = "") -> str:
    if problem["type"] == "value_error":
        remedy = str(problem["ctx"]["error"])
    else:
        remedy = problem["msg"].replace("Input should be", "It must be") + "."
        remedy = REMEDIES.get(problem["type"], remedy)
    if not problem["loc"]:
        return remedy
    name = str(problem["loc"][0])
    if prefix:
        name = prefix if name == "speaks" else f"{prefix}_{name}"
    if problem["type"] == "missing":
        return f"{name} is not set. {REMEDIES[name]}"
    is_secret = name in SECRETS or SECRET_NAMES.search(name)
    state = "cannot be read" if is_secret else f"is {os.environ.get(name)!r}"
    return f"{name} {state}. {remedy}"


def load_env_file(path: Path) -> None:
    """Adds the variables of a `.env` file; those of the process come first."""
    try:
        variables = dotenv_values(path, interpolate=False, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"The file {path.name} cannot be read: {error}.") from None
    for name, value in variables.items():
        if value is None:
            raise ImproperlyConfigured(f"{name} has no value in {path.name}. Use {name}=value.")
        os.environ.setdefault(name, value)


def secrets_from_files(environment: Mapping[str, str]) -> dict[str, str]:
    """Secrets as container platforms hand them over: `NAME_FILE` names the file, and comes first.

    Raises ImproperlyConfigured for a file that cannot be read.
    """
    secrets = {}
    for name in SECRETS:
        if path := environment.get(f"{name}_FILE"):
            secrets[name] = secret_from_file(name, path)
    return secrets


def secret_from_file(name: str, path: str) -> str:
    try:
        secret = Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        message = f"{name}_FILE names {path}, which cannot be read: {reason}."
        raise ImproperlyConfigured(message) from None
    if not secret:
        raise ImproperlyConfigured(f"{name}_FILE names {path}, which is empty.")
    return secret


def with_secrets(environment: Mapping[str, str]) -> Mapping[str, str]:
    return ChainMap(secrets_from_files(environment), environment)


def secret_values(environment: Mapping[str, str], *others: str) -> list[str]:
    """Values that no log may show: those of variables that are named like secrets, and these."""
    named = [value for name, value in environment.items() if SECRET_NAMES.search(name)]
    return [secret for secret in (*named, *others) if secret]
