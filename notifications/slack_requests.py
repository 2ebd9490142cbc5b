"""What Slack sends: presses of buttons, comments, and the command that links an account.

Only what Slack has signed is read. A button decides through `decide()`, as the person whose Slack
account it is, on what they were shown; whoever is not linked is refused.
"""

import json
import logging
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.signature import SignatureVerifier

from audit.actors import Actor
from audit.request_context import origin
from core.errors import DomainError, InvalidInput
from hitl.actions import get_action
from hitl.enums import Assurance
from hitl.services import decide
from notifications.channels.slack import client, comment_form, escaped
from notifications.messages import absolute
from notifications.slack_accounts import is_configured, link_account, user_of

logger = logging.getLogger(__name__)

#: Slack shows an error to whoever pressed a button if it waits longer than three.
REPLY_SECONDS = 2
USAGE = "Type /paraph link CODE, with a code from your page Notifications in Paraph: "


@csrf_exempt
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    """Buttons, windows and the command come to one address."""
    if not is_configured():
        return JsonResponse({"detail": "Slack is not set up here."}, status=404)
    if not is_signed(request):
        return JsonResponse({"detail": "Slack has not signed this, or long ago."}, status=401)
    try:
        if "payload" not in request.POST:
            return run_command(request)
        payload = json.loads(request.POST["payload"])
        with origin(channel="slack"):
            if payload["type"] == "view_submission":
                return decide_with_comment(payload)
            return press_button(payload)
    except (ValueError, LookupError, TypeError, AttributeError, InvalidInput):
        return JsonResponse({"detail": "This is not what Slack sends."}, status=400)


def is_signed(request: HttpRequest) -> bool:
    try:
        verifier = SignatureVerifier(settings.SLACK_SIGNING_SECRET)
        return verifier.is_valid_request(request.body, dict(request.headers))
    except (ValueError, TypeError):
        return False


def run_command(request: HttpRequest) -> JsonResponse:
    words = request.POST["text"].split()
    if len(words) != 2 or words[0] != "link":
        return JsonResponse({"text": f"{USAGE}{absolute('admin:notification_preferences')}"})
    try:
        account = link_account(
            code=words[1], team=request.POST["team_id"], slack_user=request.POST["user_id"]
        )
    except DomainError as error:
        return JsonResponse({"text": error.detail})
    name = escaped(account.user.get_username())
    return JsonResponse({"text": f"Linked: here you are {name} in Paraph from now on."})


def press_button(payload: dict[str, Any]) -> HttpResponse:
    verb, _, action = str(payload["actions"][0]["action_id"]).partition(":")
    if verb != "decide":
        return HttpResponse()
    value = str(payload["actions"][0]["value"])
    where = {"channel": payload["channel"]["id"], "user": payload["user"]["id"]}
    chosen = get_action(action)
    if user_of(payload["team"]["id"], payload["user"]["id"]) is None:
        reply(text=f"Nothing was decided: {not_linked()}", **where)
    elif chosen.needs_comment:
        form = comment_form(action, value, chosen.comment_question)
        call(lambda slack: slack.views_open(trigger_id=payload["trigger_id"], view=form))
    else:
        reply(text=decide_as_linked(payload, action, value, ""), **where)
    return HttpResponse()


def decide_with_comment(payload: dict[str, Any]) -> HttpResponse:
    view = payload["view"]
    action, _, value = str(view["private_metadata"]).partition(" ")
    comment = str(view["state"]["values"]["comment"]["text"]["value"] or "")
    text = decide_as_linked(payload, action, value, comment)
    if text.startswith("Nothing"):
        return JsonResponse({"response_action": "errors", "errors": {"comment": text}})
    reply(text=text, channel=payload["user"]["id"], user=payload["user"]["id"])
    return HttpResponse()


def decide_as_linked(payload: dict[str, Any], action: str, value: str, comment: str) -> str:
    """What to say. Raises ValueError for a value that is not ours."""
    request_id, digest = value.split(" ")
    user = user_of(payload["team"]["id"], payload["user"]["id"])
    if user is None:
        return f"Nothing was decided: {not_linked()}"
    try:
        decision = decide(
            request_id=UUID(request_id),
            actor=Actor.of_user(user),
            action=action,
            subject_digest=digest,
            comment=comment,
            channel="slack",
            assurance=Assurance.CHAT,
        )
    except DomainError as error:
        page = absolute("admin:hitl_hitlrequest_change", UUID(request_id))
        return f"Nothing was decided: {error.detail} ({error.code}) {page}"
    done = get_action(decision.action).label
    return f"{done}: recorded as the decision of {user.get_username()}."


def not_linked() -> str:
    page = absolute("admin:notification_preferences")
    return f"your Slack account is not linked to an account in Paraph. Link it at {page}"


def reply(*, channel: str, user: str, text: str) -> None:
    """To whoever pressed, and nobody else."""
    call(lambda slack: slack.chat_postEphemeral(channel=channel, user=user, text=escaped(text)))


def call(send: Any) -> None:
    """The decision stands, whether or not Slack takes the answer."""
    try:
        send(client(REPLY_SECONDS))
    except (SlackApiError, SlackClientError, OSError) as error:
        logger.warning("Slack took no answer", extra={"error": str(error)})
