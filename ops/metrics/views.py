from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from core.problems import CONTENT_TYPE as PROBLEM
from core.problems import not_found, problem
from ops.metrics.exposition import CONTENT_TYPE, exposition, is_authorized, is_local
from ops.metrics.state import StateCollector


@csrf_exempt
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    if not settings.METRICS_TOKEN:
        if not is_local(request):
            return not_found(request)
    elif not is_authorized(request.headers.get("Authorization", "")):
        detail = "Send the METRICS_TOKEN: Authorization: Bearer <token>."
        return JsonResponse(
            problem(401, "not_authenticated", detail),
            status=401,
            content_type=PROBLEM,
            headers={"WWW-Authenticate": 'Bearer realm="metrics"'},
        )
    return HttpResponse(exposition([StateCollector()]), content_type=CONTENT_TYPE)
