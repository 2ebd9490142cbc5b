"""How much one user, or one address, may ask of one server process.

Counted in the process: no request waits for a counter elsewhere, and none fails with it. It keeps
one client from taking the server from all others; it is no exact quota.
"""

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from core.token_bucket import TokenBuckets

MINUTE = 60.0

user_requests = TokenBuckets()
address_requests = TokenBuckets()


class UserThrottle(BaseThrottle):
    """For every API view. Requests without a login count by address, in the middleware."""

    seconds_to_wait = 0.0

    def allow_request(self, request: Request, view: Any) -> bool:
        if not request.user or not request.user.is_authenticated:
            return True
        limit = settings.THROTTLE_USER_PER_MINUTE
        key = getattr(request.user, "throttle_key", None) or str(request.user.pk)
        self.seconds_to_wait = user_requests.take(key, limit, MINUTE)
        return self.seconds_to_wait == 0

    def wait(self) -> float:
        return self.seconds_to_wait
