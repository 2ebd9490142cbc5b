from ops.health.check import Finding, check
from ops.health.clients import redis_client


@check("redis", order=2, is_required=True)
def check_redis() -> Finding:
    with redis_client() as client:
        client.ping()
    return Finding()
