from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import PersonalToken
from accounts.serializers import (
    LoginInput,
    LoginOutput,
    NewTokenSerializer,
    TokenInput,
    TokenSerializer,
)
from accounts.tokens import create_login_token, create_token, revoke_token
from audit.actors import Actor
from core.viewsets import APIView, GenericViewSet


class LoginView(APIView):
    """Exchange name and password for a key that goes into `Authorization: Token <key>`.

    Each call makes a new one, with all scopes, which ends after TOKEN_DAYS.
    """

    authentication_classes = ()
    permission_classes = (AllowAny,)
    serializer_class = LoginInput

    @extend_schema(
        operation_id="auth_token_create", request=LoginInput, responses=LoginOutput, auth=[]
    )
    def post(self, request: Request) -> Response:
        form = LoginInput(data=request.data, context={"request": request})
        form.is_valid(raise_exception=True)
        return Response({"token": create_login_token(form.validated_data["user"])})


class TokenViewSet(mixins.ListModelMixin, GenericViewSet):
    """One's own tokens: named keys for scripts and tools, each for what its scopes allow.

    `read` is for everything that changes nothing, `decide` for decisions, comments and claims of
    requests, `manage` for everything else. A token ends when it expires, when it is revoked, when
    its owner's password changes, and when its owner is disabled.
    """

    queryset = PersonalToken.objects.all()
    serializer_class = TokenSerializer
    inputs = {"create": TokenInput}
    secrets = ("token",)
    filter_backends = ()

    def visible(self) -> QuerySet:
        return PersonalToken.objects.filter(user=self.request.user)

    @extend_schema(request=TokenInput, responses={201: NewTokenSerializer})
    def create(self, request: Request) -> Response:
        """Create a token. One that is made with a token opens no more than that, for no longer."""
        token, key = create_token(user=request.user, through=request.auth, **self.input(request))
        answer = self.output(token) | {"token": key}
        return Response(answer, status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: UUID) -> Response:
        """Revoke a token: it opens nothing any more."""
        revoke_token(token_id=pk, actor=Actor.of_user(request.user), owner=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)
