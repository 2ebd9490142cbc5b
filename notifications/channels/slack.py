"""Slack: a direct message to each linked person. Its buttons decide only as that person."""

from typing import Any

from django.conf import settings
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from notifications.channel import Channel, person, register_channel
from notifications.messages import Message
from notifications.models import Notification, Preferences
from notifications.personal import NotSent, send_due
from notifications.slack_accounts import is_configured, linked_account

#: What can be decided by a button; the others are forms, and need the page.
BUTTONS = {"approve": "primary", "request_changes": "", "reject": "danger"}
TEXT_MAX = 2_900
#: Slack refuses a message with more, whole.
BLOCKS_MAX = 50
#: Errors of Slack's that no later attempt would mend.
FINAL = {
    "channel_not_found",
    "user_not_found",
    "account_inactive",
    "cannot_dm_bot",
    "user_disabled",
}


@register_channel
class Slack(Channel):
    name, label = "slack", "Slack"

    def recipients_of(self, user: Any, preferences: Preferences) -> list[str]:
        is_wanted = is_configured() and preferences.by_slack
        return [person(user)] if is_wanted and linked_account(user) is not None else []

    def send(self, deadline: float) -> int:
        return send_due(self.name, send_message, deadline) if is_configured() else 0


def client(timeout: int = 10) -> WebClient:
    url = settings.SLACK_API_URL
    return WebClient(settings.SLACK_BOT_TOKEN, base_url=url, timeout=timeout, retry_handlers=[])


def send_message(told: list[tuple[Notification, Message]]) -> None:
    """Raises NotSent."""
    account = linked_account(told[0][0].user)
    if account is None:
        raise NotSent("The person has unlinked their Slack account.", is_final=True)
    messages = [message for _, message in told]
    subject = messages[0].subject if len(messages) == 1 else f"{len(messages)} things in Paraph"
    try:
        client().chat_postMessage(
            channel=account.slack_user,
            text=escaped(subject),
            blocks=fitting_blocks(messages),
            unfurl_links=False,
            metadata={"event_type": "paraph", "event_payload": {"id": told[0][0].key}},
        )
    except SlackApiError as error:
        reason = str(error.response.get("error", error.response.status_code))
        text = f"Slack answered {reason}."
        raise NotSent(text, is_final=reason in FINAL, is_away=reason == "ratelimited") from error
    except (SlackClientError, OSError) as error:
        raise NotSent(f"Slack was not reached: {error}", is_away=True) from error


def fitting_blocks(messages: list[Message]) -> list[dict[str, Any]]:
    """Of as many as fit, and how many are missing."""
    blocks: list[dict[str, Any]] = []
    for number, message in enumerate(messages):
        more = blocks_of(message)
        if len(blocks) + len(more) >= BLOCKS_MAX:
            return [*blocks, plain(f"And {len(messages) - number} more: open Paraph.")]
        blocks += more
    return blocks


def blocks_of(message: Message) -> list[dict[str, Any]]:
    """Plain text throughout, so that nothing that an agent wrote is a link or calls anybody."""
    facts = "\n".join(f"{name}: {text}" for name, text in message.facts.items())
    blocks = [plain(f"{message.lead}\n{facts}")]
    if message.excerpt:
        blocks.append(plain(message.excerpt))
    if message.cut:
        blocks.append(plain(f"[{message.cut}]"))
    buttons = [{"type": "button", "text": label(message.link_text), "url": message.link}]
    buttons[0]["action_id"] = "open"
    if message.presented is not None:
        buttons += decision_buttons(message)
    return [*blocks, {"type": "actions", "elements": buttons}, {"type": "divider"}]


def decision_buttons(message: Message) -> list[dict[str, Any]]:
    """Bound to what the message shows by its digest. Where it does not show all, none approves."""
    presented = message.presented
    if presented is None or not presented.can_decide.allowed:
        return []
    if presented.request.needs_reauthentication:
        return []
    buttons = []
    for action in presented.actions:
        if action.key not in BUTTONS or (action.key == "approve" and message.cut):
            continue
        text = f"{action.label}…" if action.needs_comment else action.label
        button = {
            "type": "button",
            "text": label(text),
            "action_id": f"decide:{action.key}",
            "value": f"{presented.request.pk} {presented.digest}",
        }
        if BUTTONS[action.key]:
            button["style"] = BUTTONS[action.key]
        buttons.append(button)
    return buttons


def comment_form(action: str, value: str, question: str) -> dict[str, Any]:
    """A window that asks why."""
    return {
        "type": "modal",
        "callback_id": "decide",
        "private_metadata": f"{action} {value}",
        "title": label("Paraph"),
        "submit": label("Decide"),
        "close": label("Cancel"),
        "blocks": [
            {
                "type": "input",
                "block_id": "comment",
                "label": {"type": "plain_text", "text": question[:2000]},
                "element": {"type": "plain_text_input", "action_id": "text", "multiline": True},
            }
        ],
    }


def plain(text: str) -> dict[str, Any]:
    if len(text) > TEXT_MAX:
        text = f"{text[:TEXT_MAX]} [cut: open it to read the rest]"
    return {"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}}


def label(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text[:75], "emoji": False}


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
