from django import template
from django.conf import settings
from django.urls import reverse

from accounts.single_sign_on import PROVIDER_ID

register = template.Library()


@register.simple_tag
def single_sign_on() -> dict[str, str] | None:
    """The identity provider's name and where its login begins; None without one."""
    if not settings.OIDC_SERVER_URL:
        return None
    url = reverse("openid_connect_login", args=[PROVIDER_ID])
    return {"name": settings.OIDC_NAME, "url": url}
