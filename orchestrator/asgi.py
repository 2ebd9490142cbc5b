import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")
os.environ.setdefault("DATABASE_POOL", "true")
http = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402

from agents.work.waits import WorkWait  # noqa: E402
from audit.stream.authentication import TokenOrSessionAuth  # noqa: E402
from audit.stream.consumers import websocket_urlpatterns  # noqa: E402
from audit.stream.hub import say_goodbye  # noqa: E402
from audit.stream.sse import StreamOverHttp  # noqa: E402
from audit.stream.waits import WaitOverHttp  # noqa: E402
from core.database import SHORT_SILENCE_SECONDS, limit_silence  # noqa: E402
from hitl.agent_actions.waits import AskWait, ReadWait  # noqa: E402
from ops.logging.access_log import AccessLog  # noqa: E402
from orchestrator.body_limit import BodyLimit  # noqa: E402
from orchestrator.claude_code import ClaudeCodeHook  # noqa: E402
from orchestrator.engine.imports.archive import MAX_ARCHIVE_BYTES  # noqa: E402
from orchestrator.lifespan import Lifespan  # noqa: E402
from orchestrator.mcp.endpoint import McpEndpoint  # noqa: E402

limit_silence(SHORT_SILENCE_SECONDS)
# The form around a file needs some room, too.
larger = {"/projects/import": MAX_ARCHIVE_BYTES + 64 * 1024}
rest = WaitOverHttp(http, WorkWait(), ReadWait(), AskWait())
limited = BodyLimit(
    ClaudeCodeHook(McpEndpoint(rest)),
    limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
    larger=larger,
)

# Which origins may use a session cookie is checked with the login: a client with a token has none.
application = AccessLog(
    ProtocolTypeRouter(
        {
            "http": StreamOverHttp(limited),
            "websocket": TokenOrSessionAuth(URLRouter(websocket_urlpatterns)),
            "lifespan": Lifespan(before_shutdown=say_goodbye),
        }
    )
)
