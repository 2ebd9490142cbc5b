"""What Slack sends: presses of buttons, comments, and the command that links an account.

Only what Slack has signed is read, or what comes by the connection that we have opened to it
(`slack_socket`). A button decides through `decide()`, as the person whose Slack account it is, on
what they were shown; whoever is not linked is refused.
"""

import json
import logging
from collections.abc import Mapping
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
from notifications.slack_accounts import link_account, user_of

logger = logging.getLogger(__name__)

#: What a message that is not of Slack's form raises.
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, InvalidInput)
#: Slack shows an error to whoever pressed a button if it waits longer than three.
REPLY_SECONDS = 2
USAGE = "Type /paraph link CODE, with a code from your page Notifications in Paraph: "


@csrf_exempt
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    """Buttons, windows and the command come to one address."""
    if not (settings.SLACK_BOT_TOKEN and settings.SLACK_SIGNING_SECRET):
        return JsonResponse({"detail": "Slack is not set up here."}, status=404)
    if not is_signed(request):
        return JsonResponse({"detail": "Slack has not signed this, or long ago."}, status=401)
    fields = request.POST
    try:
        answer = answer_to(json.loads(fields["payload"]) if "payload" in fields else fields)
    except MALFORMED:
        return JsonResponse({"detail": "This is not what Slack sends."}, status=400)
    return HttpResponse() if answer is None else JsonResponse(answer)


def answer_to(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """To a command, a press or a window; None: nothing is shown. Raises MALFORMED."""
    with origin(channel="slack"):
        match message.get("type"):
            case None:
                return run_command(message)
            case "view_submission":
                return decide_with_comment(message)
        return press_button(message)


def is_signed(request: HttpRequest) -> bool:
    try:
        verifier = SignatureVerifier(settings.SLACK_SIGNING_SECRET)
        return verifier.is_valid_request(request.body, dict(request.headers))
    except (ValueError, TypeError):
        return False


def run_command(command: Mapping[str, Any]) -> dict[str, Any]:
    words = command["text"].split()
    if len(words) != 2 or words[0] != "link":
        return {"text": f"{USAGE}{absolute('admin:notification_preferences')}"}
    team, slack_user = command["team_id"], command["user_id"]
    try:
        account = link_account(code=words[1], team=team, slack_user=slack_user)
    except DomainError as error:
        return {"text": error.detail}
    name = escaped(account.user.get_username())
    return {"text": f"Linked: here you are {name} in Paraph from now on."}


def press_button(payload: Mapping[str, Any]) -> None:
    verb, _, action = str(payload["actions"][0]["action_id"]).partition(":")
    if verb != "decide":
        return
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


def decide_with_comment(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    view = payload["view"]
    action, _, value = str(view["private_metadata"]).partition(" ")
    comment = str(view["state"]["values"]["comment"]["text"]["value"] or "")
    text = decide_as_linked(payload, action, value, comment)
    if text.startswith("Nothing"):
        return {"response_action": "errors", "errors": {"comment": text}}
    reply(text=text, channel=payload["user"]["id"], user=payload["user"]["id"])
    return None


def decide_as_linked(payload: Mapping[str, Any], action: str, value: str, comment: str) -> str:
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
