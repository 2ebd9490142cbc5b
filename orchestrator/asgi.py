import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")
os.environ.setdefault("DATABASE_POOL", "true")
http = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402

from audit.stream.routing import websocket_urlpatterns  # noqa: E402
from audit.stream.socket_auth import TokenOrSessionAuth  # noqa: E402
from audit.stream.sse import NewsOverHttp  # noqa: E402
from ops.logging.access_log import AccessLog  # noqa: E402
from orchestrator.body_limit import BodyLimit  # noqa: E402
from orchestrator.daphne_patches import leave_forms_to_django  # noqa: E402
from orchestrator.engine.imports.archive import MAX_ARCHIVE_BYTES  # noqa: E402
from orchestrator.graceful_shutdown import Leaving  # noqa: E402

leave_forms_to_django()

# The form around a file needs some room, too.
larger = {"/projects/import": MAX_ARCHIVE_BYTES + 64 * 1024}
limited = BodyLimit(Leaving(http), limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE, larger=larger)

# Which origins may use a session cookie is checked with the login: a client with a token has none.
application = AccessLog(
    ProtocolTypeRouter(
        {
            "http": NewsOverHttp(limited),
            "websocket": TokenOrSessionAuth(URLRouter(websocket_urlpatterns)),
        }
    )
)
