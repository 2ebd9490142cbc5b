from drf_spectacular.utils import extend_schema
from rest_framework.authtoken.models import Token
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from core.serializers import TokenInput, TokenOutput
from core.viewsets import APIView


class TokenView(APIView):
    """Exchange name and password for the key that goes into `Authorization: Token <key>`."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    serializer_class = TokenInput

    @extend_schema(operation_id="auth_token", request=TokenInput, responses=TokenOutput, auth=[])
    def post(self, request: Request) -> Response:
        form = TokenInput(data=request.data, context={"request": request})
        form.is_valid(raise_exception=True)
        token, _ = Token.objects.get_or_create(user=form.validated_data["user"])
        return Response({"token": token.key})
