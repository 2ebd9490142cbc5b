from rest_framework import views, viewsets

from api.idempotency import IdempotentMixin


class APIView(IdempotentMixin, views.APIView):
    pass


class GenericViewSet(IdempotentMixin, viewsets.GenericViewSet):
    pass
